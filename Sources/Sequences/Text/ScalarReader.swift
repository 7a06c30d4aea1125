/// Takes the Unicode scalars out of UTF-8, refusing what the Unicode Standard's table 3-7 does not list.
struct ScalarReader {
    private let bytes: [UInt8]
    /// Of the next scalar's first byte.
    private(set) var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next scalar, nil at the end.
    ///
    /// - Parameter what: what the bytes are called in an error.
    /// - Throws: `invalidUTF8` with the offset at which the ill-formed sequence begins.
    mutating func next(_ what: String) throws(SequenceError) -> UInt32? {
        guard offset < bytes.count else { return nil }
        let first = bytes[offset]
        if first < 0x80 {
            offset += 1
            return UInt32(first)
        }
        guard let scalar = multibyte(first) else {
            let hexadecimal = String(first, radix: 16, uppercase: true)
            throw SequenceError(
                .invalidUTF8,
                "\(what) is not valid UTF-8 at byte offset \(offset) (0x\(hexadecimal)); characters need UTF-8, bytes take any file"
            )
        }
        return scalar
    }

    private mutating func multibyte(_ first: UInt8) -> UInt32? {
        let length: Int
        // What the second byte may be: narrower than 80...BF where that would be overlong, a surrogate, or past
        // U+10FFFF.
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return nil
        }
        guard bytes.count - offset >= length, second.contains(bytes[offset + 1]) else { return nil }
        var scalar = UInt32(first) & (0x7F >> UInt32(length))
        for position in offset + 1..<offset + length {
            guard bytes[position] & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | UInt32(bytes[position] & 0x3F)
        }
        offset += length
        return scalar
    }
}
