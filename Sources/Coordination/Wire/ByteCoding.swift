/// Appends little-endian fields to a byte array.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 64) {
        bytes.reserveCapacity(capacity)
    }

    mutating func write(_ value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// Bytes behind their count in 32 bits.
    mutating func write(_ content: [UInt8]) {
        write(UInt32(content.count))
        bytes.append(contentsOf: content)
    }

    /// A text as `readText` takes it: at most `limit` characters, what is no printable ASCII shown as "?".
    mutating func write(_ text: String, limit: Int) {
        let printable = text.unicodeScalars.prefix(limit).map { scalar -> UInt8 in
            (0x20...0x7E).contains(scalar.value) ? UInt8(scalar.value) : UInt8(ascii: "?")
        }
        write(printable)
    }
}

/// Takes little-endian fields off bytes that anyone may have written.
struct ByteReader {
    private let bytes: [UInt8]
    private var offset = 0

    /// Copies the bytes: headers and control messages are short.
    init(_ bytes: RawSpan) {
        self.bytes = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
    }

    mutating func read<Value: FixedWidthInteger & UnsignedInteger>() throws(DecodeError) -> Value {
        let content = try take(Value.bitWidth / 8)
        return content.reversed().reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
    }

    /// Bytes behind their count, of which there may be `limit`.
    mutating func readBytes(limit: Int) throws(DecodeError) -> [UInt8] {
        let announced: UInt32 = try read()
        guard Int(announced) <= limit else {
            throw DecodeError(.payload, wanted: UInt64(limit), got: UInt64(announced))
        }
        return Array(try take(Int(announced)))
    }

    /// Printable ASCII only, so that a peer's words cannot forge a line of the log.
    mutating func readText(limit: Int) throws(DecodeError) -> String {
        let content = try readBytes(limit: limit)
        for byte in content where !(0x20...0x7E).contains(byte) {
            throw DecodeError(.payload, wanted: 0x20, got: UInt64(byte))
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// Throws when there are bytes left.
    func finish() throws(DecodeError) {
        guard offset == bytes.count else {
            throw DecodeError(.payload, wanted: UInt64(offset), got: UInt64(bytes.count))
        }
    }

    private mutating func take(_ count: Int) throws(DecodeError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - offset else {
            throw DecodeError(.payload, wanted: UInt64(offset + count), got: UInt64(bytes.count))
        }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }
}
