/// Appends little-endian numbers to a byte array.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func write(_ value: UInt64) { append(value.littleEndian) }
    mutating func write(_ value: UInt32) { append(value.littleEndian) }
    mutating func write(_ values: [Int32]) { for value in values { append(value.littleEndian) } }
    mutating func write(_ values: [Float]) { for value in values { append(value.bitPattern.littleEndian) } }

    private mutating func append(_ value: some FixedWidthInteger) {
        unsafe withUnsafeBytes(of: value) { unsafe bytes.append(contentsOf: $0) }
    }
}

/// Takes little-endian numbers from a byte array; nil past its end.
struct ByteReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func readUInt64() -> UInt64? { read(1, UInt64.self)?[0] }
    mutating func readUInt32s(_ count: Int) -> [Int]? { read(count, UInt32.self)?.map(Int.init) }
    mutating func readInt32s(_ count: Int) -> [Int32]? { read(count, Int32.self) }
    mutating func readFloats(_ count: Int) -> [Float]? { read(count, UInt32.self)?.map(Float.init(bitPattern:)) }

    private mutating func read<Number: FixedWidthInteger>(_ count: Int, _: Number.Type) -> [Number]? {
        let size = MemoryLayout<Number>.size
        guard count >= 0, count <= (bytes.count - position) / size else { return nil }
        defer { position += count * size }
        return unsafe bytes.withUnsafeBytes { raw in
            (0..<count).map { index in
                Number(littleEndian: unsafe raw.loadUnaligned(fromByteOffset: position + index * size, as: Number.self))
            }
        }
    }
}
