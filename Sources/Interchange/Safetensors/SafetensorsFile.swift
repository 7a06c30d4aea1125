/// Named tensors as the public safetensors format stores them: eight bytes of header length, a JSON header, the numbers.
///
/// Opening reads and checks the header alone; numbers are read when they are asked for. Every byte string either opens or
/// throws a `SafetensorsError`.
package struct SafetensorsFile: Sendable {
    /// One tensor: what it is and where it lies.
    package struct Entry: Sendable, Equatable {
        package let name: String
        package let type: TensorType
        package let shape: [Int]
        /// Its bytes, counted from the end of the header.
        package let place: Range<Int>
    }

    /// Bytes; the limit that the format's own reader has.
    package static let headerLimit = 100_000_000

    /// In the order of their bytes.
    package let entries: [Entry]
    package let metadata: [String: String]

    private let source: Source
    private let dataStart: Int
    /// Keyed by bytes: two names that Unicode calls equal are two names here.
    private let indices: [[UInt8]: Int]

    package init(path: String) throws(SafetensorsError) {
        let file: InputFile
        do { file = try InputFile(path: path) } catch { throw SafetensorsError(error) }
        try self.init(.file(file))
    }

    /// - Parameter name: stands for the file in messages.
    package init(bytes: [UInt8], name: String = "safetensors") throws(SafetensorsError) {
        try self.init(.memory(bytes, name: name))
    }

    private init(_ source: Source) throws(SafetensorsError) {
        let name = source.name
        guard source.size >= 8 else {
            throw SafetensorsError(.tooShort, name, "\(source.size) bytes; expected at least 8 for the header's length")
        }
        let length = try source.bytes(0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= Self.headerLimit, length <= source.size - 8 else {
            throw SafetensorsError(
                .headerLength, name,
                "a header of \(length) bytes; expected at most \(min(Self.headerLimit, source.size - 8))"
                    + " (the file has \(source.size))")
        }
        dataStart = 8 + Int(length)
        let scanner = try HeaderScanner(try source.bytes(8..<dataStart), source: name)
        entries = try Self.check(scanner.members, dataSize: source.size - dataStart, source: name)
        indices = try Self.index(entries.map(\.name), "tensor", source: name)
        _ = try Self.index(scanner.metadata.map(\.key), "metadata key", source: name)
        metadata = Dictionary(scanner.metadata, uniquingKeysWith: { first, _ in first })
        self.source = source
    }

    /// Of all of the file.
    package var byteCount: Int { source.size }

    /// In the order of their bytes.
    package var names: [String] { entries.map(\.name) }

    package subscript(name: String) -> Entry? { indices[Array(name.utf8)].map { entries[$0] } }
}

// MARK: Checks

extension SafetensorsFile {
    /// Holds each member against its shape and all of them against the data: no gap, no overlap, nothing left.
    private static func check(
        _ members: [HeaderScanner.Member], dataSize: Int, source: String
    ) throws(SafetensorsError) -> [Entry] {
        var entries: [Entry] = []
        entries.reserveCapacity(members.count)
        var end = 0
        for member in members.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
            let tensor = "tensor \(member.name.quoted)"
            guard let wanted = member.type.byteCount(shape: member.shape) else {
                throw SafetensorsError(
                    .shapeOverflow, source, "\(tensor): the bytes of its shape do not fit a machine word")
            }
            guard member.begin <= member.end, member.end <= dataSize else {
                throw SafetensorsError(
                    .offsets, source,
                    "\(tensor): data_offsets [\(member.begin), \(member.end)]; expected them ascending and within"
                        + " the \(dataSize) bytes of data")
            }
            guard member.begin == end else {
                throw SafetensorsError(
                    .offsets, source,
                    "\(tensor): begins at byte \(member.begin) of the data; expected \(end), where the tensor before it ends"
                )
            }
            guard member.end - member.begin == wanted else {
                throw SafetensorsError(
                    .sizeMismatch, source,
                    "\(tensor): \(member.end - member.begin) bytes; its shape and type \(member.type.rawValue) need \(wanted)"
                )
            }
            end = member.end
            entries.append(
                Entry(name: member.name, type: member.type, shape: member.shape, place: member.begin..<member.end))
        }
        guard end == dataSize else {
            throw SafetensorsError(
                .offsets, source, "the tensors end at byte \(end) of the data, which has \(dataSize) bytes")
        }
        return entries
    }

    private static func index(
        _ names: [String], _ kind: String, source: String
    ) throws(SafetensorsError) -> [[UInt8]: Int] {
        var indices: [[UInt8]: Int] = [:]
        indices.reserveCapacity(names.count)
        for (index, name) in names.enumerated() {
            guard indices.updateValue(index, forKey: Array(name.utf8)) == nil else {
                throw SafetensorsError(.duplicateName, source, "the \(kind) \(name.quoted) is there twice")
            }
        }
        return indices
    }
}

// MARK: Numbers

extension SafetensorsFile {
    /// Reads a tensor's numbers.
    ///
    /// - Parameter shape: what the tensor must have; nil for any.
    /// - Throws: `noSuchTensor`, or `unexpected` for another type or shape; nothing is converted.
    package func values<Element: TensorElement>(
        _ name: String, shape: [Int]? = nil, as _: Element.Type = Element.self
    ) throws(SafetensorsError) -> [Element] {
        let entry = try entry(name, type: Element.tensorType, shape: shape)
        var values = [Element](repeating: .zero, count: entry.place.count / entry.type.width)
        var span = values.mutableSpan
        try read(entry, into: &span)
        return values
    }

    package func floats(_ name: String, shape: [Int]? = nil) throws(SafetensorsError) -> [Float] {
        try values(name, shape: shape)
    }

    /// Reads a tensor's numbers, which are to be computed with.
    ///
    /// - Throws: `notFinite` for the first that is none or infinite, with its place in the tensor.
    package func finiteFloats(_ name: String, shape: [Int]? = nil) throws(SafetensorsError) -> [Float] {
        let values = try floats(name, shape: shape)
        guard let first = values.firstIndex(where: { !$0.isFinite }) else { return values }
        var (place, rest) = ([Int](), first)
        for count in (self[name]?.shape ?? []).reversed() {
            place.insert(rest % count, at: 0)
            rest /= count
        }
        throw SafetensorsError(
            .notFinite, source.name, "tensor \(name.quoted): \(values[first]) at \(place); expected finite numbers")
    }

    /// Reads a tensor's numbers into memory that the caller has, which must hold exactly as many.
    package func read<Element: TensorElement>(
        _ name: String, shape: [Int], into destination: inout MutableSpan<Element>
    ) throws(SafetensorsError) {
        try read(entry(name, type: Element.tensorType, shape: shape), into: &destination)
    }

    /// A tensor's bytes, of whatever type.
    package func bytes(_ name: String) throws(SafetensorsError) -> [UInt8] {
        let entry = try entry(name)
        return try source.bytes(dataStart + entry.place.lowerBound..<dataStart + entry.place.upperBound)
    }

    private func read<Element: TensorElement>(
        _ entry: Entry, into destination: inout MutableSpan<Element>
    ) throws(SafetensorsError) {
        precondition(
            destination.count * entry.type.width == entry.place.count,
            "read: \(entry.name.quoted) has shape \(entry.shape); the destination holds \(destination.count)")
        let offset = dataStart + entry.place.lowerBound
        try unsafe destination.withUnsafeMutableBytes { buffer throws(SafetensorsError) in
            try unsafe source.read(into: buffer, at: offset)
        }
    }

    private func entry(
        _ name: String, type: TensorType? = nil, shape: [Int]? = nil
    ) throws(SafetensorsError) -> Entry {
        guard let entry = self[name] else {
            throw SafetensorsError(
                .noSuchTensor, source.name, "no tensor \(name.quoted); there are \(entries.count) others")
        }
        guard type ?? entry.type == entry.type, shape ?? entry.shape == entry.shape else {
            throw SafetensorsError(
                .unexpected, source.name,
                "tensor \(name.quoted): expected \((type ?? entry.type).rawValue) of shape \(shape ?? entry.shape),"
                    + " got \(entry.type.rawValue) of shape \(entry.shape)")
        }
        return entry
    }
}

// MARK: Where the bytes are

extension SafetensorsFile {
    private enum Source: Sendable {
        case file(InputFile)
        case memory([UInt8], name: String)

        var name: String {
            switch self {
            case .file(let file): file.path
            case .memory(_, let name): name
            }
        }

        var size: Int {
            switch self {
            case .file(let file): file.size
            case .memory(let bytes, _): bytes.count
            }
        }

        func bytes(_ range: Range<Int>) throws(SafetensorsError) -> [UInt8] {
            switch self {
            case .memory(let bytes, _): return Array(bytes[range])
            case .file(let file): do { return try file.bytes(range) } catch { throw SafetensorsError(error) }
            }
        }

        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SafetensorsError) {
            switch self {
            case .memory(let bytes, _): unsafe buffer.copyBytes(from: bytes[offset..<offset + buffer.count])
            case .file(let file):
                do { try unsafe file.read(into: buffer, at: offset) } catch { throw SafetensorsError(error) }
            }
        }
    }
}
