internal import Interchange

/// The lines of a file, one after another, without the whole of it in memory.
struct LineReader {
    /// Bytes without the newline, and where the line after it begins; nil there when the newline is missing.
    struct Line {
        let bytes: ArraySlice<UInt8>
        let end: Int?
    }

    /// Bytes; a longer line is handed out as if it were the file's torn end.
    static let lineLimit = 1 << 20

    private let file: InputFile
    private var buffer: [UInt8] = []
    private var position = 0
    private var fileOffset = 0
    /// Whether what was handed out last was a piece of a line that is too long.
    private var isAmidLine = false

    init(path: String) throws(RunError) {
        file = try RunError.reading { () throws(FileFailure) in try InputFile(path: path, followsLinks: false) }
    }

    /// Whether nothing follows what was handed out.
    var isAtEnd: Bool { position == buffer.count && fileOffset >= file.size }

    mutating func next() throws(RunError) -> Line? {
        if isAmidLine {
            // Of a file that is sparse, gigabytes of zeros need not be read to find that there is no newline among them.
            fileOffset = file.data(from: fileOffset)
            (buffer, position, isAmidLine) = ([], 0, false)
        }
        while true {
            if let newline = buffer[position...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer[position..<newline]
                position = newline + 1
                return Line(bytes: line, end: fileOffset - buffer.count + position)
            }
            let rest = buffer.count - position
            guard rest <= Self.lineLimit, fileOffset < file.size else {
                defer { position = buffer.count }
                isAmidLine = rest > Self.lineLimit
                return rest == 0 ? nil : Line(bytes: buffer[position...], end: nil)
            }
            let range = fileOffset..<min(fileOffset + Self.lineLimit, file.size)
            buffer =
                try buffer[position...]
                + RunError.reading { () throws(FileFailure) in try file.bytes(range) }
            position = 0
            fileOffset = range.upperBound
        }
    }
}
