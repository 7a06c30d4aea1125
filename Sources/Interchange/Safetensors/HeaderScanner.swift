/// Reads the JSON object of a safetensors header, and nothing more general than that.
///
/// General JSON decoders keep one of two members of the same name and say nothing; here a second one is an error. Depth is
/// fixed by the format, so that no input makes the scanner recurse.
struct HeaderScanner {
    /// One member of the header as it was written, its numbers not yet held against each other.
    struct Member: Equatable {
        let name: String
        let type: TensorType
        let shape: [Int]
        /// Bytes from the end of the header.
        let begin: Int
        let end: Int
    }

    private let bytes: [UInt8]
    private let source: String
    private var position = 0

    private(set) var members: [Member] = []
    private(set) var metadata: [(key: String, value: String)] = []

    /// - Parameters:
    ///   - header: the bytes after the length.
    ///   - source: the file's name, for messages.
    init(_ header: [UInt8], source: String) throws(SafetensorsError) {
        bytes = header
        self.source = source
        guard header.first == UInt8(ascii: "{") else { throw expected("'{' as the first byte of the header") }
        try scanObject()
        skipSpace()
        guard position == bytes.count else { throw expected("nothing but spaces after the header's object") }
    }

    private mutating func scanObject() throws(SafetensorsError) {
        var hasMetadata = false
        try eachMember { scanner, name throws(SafetensorsError) in
            if name == "__metadata__" {
                guard !hasMetadata else { throw scanner.duplicate("member", name) }
                hasMetadata = true
                try scanner.scanMetadata()
            } else {
                let member = try scanner.scanTensor(name)
                scanner.members.append(member)
            }
        }
    }

    private mutating func scanMetadata() throws(SafetensorsError) {
        try eachMember { scanner, key throws(SafetensorsError) in
            let value = try scanner.scanString()
            scanner.metadata.append((key, value))
        }
    }

    private mutating func scanTensor(_ name: String) throws(SafetensorsError) -> Member {
        var type: TensorType?
        var shape: [Int]?
        var offsets: [Int]?
        try eachMember { scanner, key throws(SafetensorsError) in
            switch key {
            case "dtype" where type == nil:
                let word = try scanner.scanString()
                guard let known = TensorType(rawValue: word) else {
                    throw scanner.failure(.unknownType, "tensor \(name.quoted): type \(word.quoted) is not known")
                }
                type = known
            case "shape" where shape == nil: shape = try scanner.scanNumbers()
            case "data_offsets" where offsets == nil: offsets = try scanner.scanNumbers()
            case "dtype", "shape", "data_offsets": throw scanner.duplicate("member", key)
            default:
                throw scanner.failure(
                    .header, "tensor \(name.quoted): member \(key.quoted); expected dtype, shape and data_offsets")
            }
        }
        guard let type, let shape, let offsets else {
            throw failure(.header, "tensor \(name.quoted): expected dtype, shape and data_offsets; one is missing")
        }
        guard offsets.count == 2 else {
            throw failure(.header, "tensor \(name.quoted): expected 2 data_offsets, got \(offsets.count)")
        }
        return Member(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1])
    }
}

// MARK: The words of JSON

extension HeaderScanner {
    private mutating func eachMember(
        _ body: (inout HeaderScanner, String) throws(SafetensorsError) -> Void
    ) throws(SafetensorsError) {
        try take("{", "an object")
        guard !takes("}") else { return }
        repeat {
            skipSpace()
            let name = try scanString()
            try take(":", "':' after a name")
            try body(&self, name)
        } while takes(",")
        try take("}", "',' or '}' after a member")
    }

    private mutating func scanNumbers() throws(SafetensorsError) -> [Int] {
        try take("[", "a list of numbers")
        var numbers: [Int] = []
        guard !takes("]") else { return numbers }
        repeat {
            skipSpace()
            try numbers.append(scanNumber())
        } while takes(",")
        try take("]", "',' or ']' after a number")
        return numbers
    }

    private mutating func scanNumber() throws(SafetensorsError) -> Int {
        let start = position
        var value = 0
        while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10 {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(digit))
            guard !overflow, !carry else {
                throw failure(.shapeOverflow, "header byte \(start): expected a number up to \(Int.max)")
            }
            value = sum
            position += 1
        }
        guard position > start else { throw expected("a whole number, 0 or more") }
        guard position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
            position = start
            throw expected("a number without leading zeros")
        }
        return value
    }

    private mutating func scanString() throws(SafetensorsError) -> String {
        try take("\"", "a string")
        let start = position
        var units: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: units, as: UTF8.self) else {
                    throw failure(.header, "header byte \(start): expected UTF-8 in the string")
                }
                return string
            case UInt8(ascii: "\\"):
                units.append(contentsOf: String(try scanEscape()).utf8)
            case 0..<0x20:
                position -= 1
                throw expected("no control character within a string")
            default: units.append(byte)
            }
        }
        throw failure(.header, "header byte \(start): expected a closing quotation mark")
    }

    private mutating func scanEscape() throws(SafetensorsError) -> Unicode.Scalar {
        guard position < bytes.count else { throw expected("the rest of an escape") }
        position += 1
        switch bytes[position - 1] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try scanHexadecimal()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            guard unit < 0xDC00, takesExactly("\\u"), case let low = try scanHexadecimal(), low & 0xFC00 == 0xDC00,
                let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
            else { throw expected("a pair of surrogates") }
            return scalar
        default:
            position -= 1
            throw expected("an escape that JSON knows")
        }
    }

    private mutating func scanHexadecimal() throws(SafetensorsError) -> UInt32 {
        guard bytes.count - position >= 4 else { throw expected("four hexadecimal digits") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue, bytes[position] < 0x80 else {
                throw expected("a hexadecimal digit")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// Passes over space and then `mark`, if that is what follows.
    private mutating func takes(_ mark: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: mark) else { return false }
        position += 1
        return true
    }

    private mutating func takesExactly(_ text: StaticString) -> Bool {
        let wanted = Array(text.description.utf8)
        guard bytes[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    private mutating func take(_ mark: Unicode.Scalar, _ meaning: String) throws(SafetensorsError) {
        guard takes(mark) else { throw expected(meaning) }
    }

    private func duplicate(_ kind: String, _ name: String) -> SafetensorsError {
        failure(.duplicateName, "the \(kind) \(name.quoted) is there twice")
    }

    private func expected(_ what: String) -> SafetensorsError {
        let got = position < bytes.count ? "byte \(bytes[position])" : "the end"
        return failure(.header, "header byte \(position): expected \(what), got \(got)")
    }

    private func failure(_ code: SafetensorsError.Code, _ message: String) -> SafetensorsError {
        SafetensorsError(code, source, message)
    }
}
