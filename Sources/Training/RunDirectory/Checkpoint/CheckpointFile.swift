package import Interchange

/// One file of a checkpoint that is to be written: its name and its content.
package struct CheckpointFile {
    package static let parametersName = "parameters.safetensors"
    package static let optimizerName = "optimizer.safetensors"

    let name: String
    private let content: Content

    private enum Content {
        case tensors(SafetensorsWriter)
        case bytes([UInt8])
    }

    /// A safetensors file. The tensors are read when the checkpoint is written, from where they lie.
    package static func tensors(
        _ name: String, _ tensors: [NamedTensor], metadata: [String: String] = [:]
    ) -> CheckpointFile {
        CheckpointFile(name, .tensors(SafetensorsWriter(tensors, metadata: metadata)))
    }

    package static func json(_ name: String, _ value: some Encodable) throws(RunError) -> CheckpointFile {
        CheckpointFile(name, .bytes(try JSONText.encode(value, .pretty, as: name)))
    }

    package static func bytes(_ name: String, _ bytes: [UInt8]) -> CheckpointFile {
        CheckpointFile(name, .bytes(bytes))
    }

    private init(_ name: String, _ content: Content) {
        precondition(
            CheckpointManifest.isFileName(name), "CheckpointFile: \(name) is not the name of a file beside the manifest"
        )
        self.name = name
        self.content = content
    }

    var byteCount: Int {
        switch content {
        case .tensors(let writer): writer.byteCount
        case .bytes(let bytes): bytes.count
        }
    }

    /// Writes the file and says what was written; it is not on the disk for certain yet.
    ///
    /// Hashed on a thread of its own, a piece at a time while it is written; the disk begins with what is written meanwhile.
    ///
    /// - Parameter meter: is told of each piece, and may say that nobody wants the rest.
    func write(into directory: String, _ meter: WritingMeter? = nil) throws(RunError) -> CheckpointManifest.Record {
        let file = try OutputFile(path: "\(directory)/\(name)", .new)
        let sha = HashBeside()
        var (end, begun) = (0, 0)
        let sink = { (bytes: RawSpan) throws(RunError) in
            // Pieces stay in a cache between the hash and the write.
            for start in stride(from: 0, to: bytes.byteCount, by: Self.pieceSize) {
                let piece = bytes.extracting(start..<min(start + Self.pieceSize, bytes.byteCount))
                try sha.absorb(piece) { () throws(RunError) in try file.write(piece, at: end) }
                end += piece.byteCount
                if end - begun >= Self.stretch {
                    file.beginSynchronizing(begun..<end)
                    begun = end
                }
                try meter?.wrote(piece.byteCount)
            }
        }
        switch content {
        case .tensors(let writer): try writer.write(to: sink)
        case .bytes(let bytes): try unsafe sink(bytes.span.bytes)
        }
        if begun > 0 { file.beginSynchronizing(begun..<end) }
        return .init(bytes: end, sha256: sha.hexadecimal())
    }

    /// Bytes that are hashed and written at a time.
    static let pieceSize = 1 << 20
    /// Bytes after which the disk is to begin with them.
    private static let stretch = 1 << 24
}
