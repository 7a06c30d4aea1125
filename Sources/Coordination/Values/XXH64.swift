/// The 64-bit xxHash of Yann Collet: a fast checksum against accidents, none against forgers.
///
/// Follows the xxHash specification, version 0.1.1, section "XXH64 algorithm".
package enum XXH64 {
    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    package static func hash(_ bytes: RawSpan, seed: UInt64 = 0) -> UInt64 {
        unsafe bytes.withUnsafeBytes { unsafe hash($0, seed: seed) }
    }

    package static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        var offset = 0
        let count = bytes.count
        var sum: UInt64

        if count >= 32 {
            var lane1 = seed &+ prime1 &+ prime2
            var lane2 = seed &+ prime2
            var lane3 = seed
            var lane4 = seed &- prime1
            while offset <= count - 32 {
                unsafe lane1 = round(lane1, word(bytes, offset))
                unsafe lane2 = round(lane2, word(bytes, offset + 8))
                unsafe lane3 = round(lane3, word(bytes, offset + 16))
                unsafe lane4 = round(lane4, word(bytes, offset + 24))
                offset += 32
            }
            sum = rotate(lane1, 1) &+ rotate(lane2, 7) &+ rotate(lane3, 12) &+ rotate(lane4, 18)
            for lane in [lane1, lane2, lane3, lane4] {
                sum = (sum ^ round(0, lane)) &* prime1 &+ prime4
            }
        } else {
            sum = seed &+ prime5
        }
        sum &+= UInt64(count)

        while offset <= count - 8 {
            unsafe sum ^= round(0, word(bytes, offset))
            sum = rotate(sum, 27) &* prime1 &+ prime4
            offset += 8
        }
        if offset <= count - 4 {
            let half = unsafe UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            sum ^= UInt64(half) &* prime1
            sum = rotate(sum, 23) &* prime2 &+ prime3
            offset += 4
        }
        while offset < count {
            unsafe sum ^= UInt64(bytes[offset]) &* prime5
            sum = rotate(sum, 11) &* prime1
            offset += 1
        }

        sum = (sum ^ (sum >> 33)) &* prime2
        sum = (sum ^ (sum >> 29)) &* prime3
        return sum ^ (sum >> 32)
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotate(lane &+ word &* prime2, 31) &* prime1
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
        value << bits | value >> (64 - bits)
    }
}
