/// Writes tensors in the public safetensors format, a piece at a time.
///
/// Larger elements come first and names ascend in byte order among them, as in files of the format's own writer: tensors of
/// one type make the same bytes there and here.
package struct SafetensorsWriter {
    private let tensors: [NamedTensor]
    /// The length and the JSON object, padded with spaces so that the numbers begin at a multiple of eight.
    package let header: [UInt8]

    /// - Parameters:
    ///   - tensors: in any order; names differ.
    ///   - metadata: free text for readers of the file.
    package init(_ tensors: [NamedTensor], metadata: [String: String] = [:]) {
        let sorted = tensors.sorted { left, right in
            left.type.width == right.type.width
                ? left.name.precedesByBytes(right.name) : left.type.width > right.type.width
        }
        let names = sorted.map(\.name)
        precondition(
            Set(names.map { Array($0.utf8) }).count == names.count && !names.contains("__metadata__"),
            "SafetensorsWriter: the names \(names) must differ, and none may be __metadata__")
        self.tensors = sorted
        header = Self.header(sorted, metadata)
    }

    /// Bytes of the whole file.
    package var byteCount: Int { tensors.reduce(header.count) { $0 + $1.byteCount } }

    /// Hands the file's bytes to `sink`, first to last: the header, then each tensor's as they lie in memory.
    package func write<Failure: Error>(to sink: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        try unsafe sink(header.span.bytes)
        for tensor in tensors { try tensor.write(to: sink) }
    }

    /// The whole file in memory.
    package func bytes() -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(byteCount)
        write { piece in unsafe piece.withUnsafeBytes { unsafe result.append(contentsOf: $0) } }
        return result
    }

    private static func header(_ tensors: [NamedTensor], _ metadata: [String: String]) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let texts = metadata.sorted { $0.key.precedesByBytes($1.key) }.map { "\($0.key.json):\($0.value.json)" }
            members.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
        }
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.byteCount
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(tensor.name.json):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        var json = Array("{\(members.joined(separator: ","))}".utf8)
        json.append(contentsOf: repeatElement(UInt8(ascii: " "), count: -json.count & 7))
        precondition(
            json.count <= SafetensorsFile.headerLimit,
            "SafetensorsWriter: a header of \(json.count) bytes; readers take at most \(SafetensorsFile.headerLimit)")
        return (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) } + json
    }
}

extension String {
    /// Ascending order of UTF-8 bytes, which Swift's `<` is not: it goes by canonical equivalence.
    package func precedesByBytes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }

    /// The string as a JSON string, on one line.
    package var json: String {
        var result = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
