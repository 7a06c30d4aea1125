package import Interchange

/// XXH64 with seed 0, as published by Yann Collet: tells bits that differ by accident, at the speed of memory.
///
/// It is no proof against intent; checkpoints and the ledger's chain have SHA-256 for that.
package enum FastChecksum {
    private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63,
        0x27D4_EB2F_1656_67C5
    )

    /// One checksum a tensor, in ascending byte order of their names.
    package static func of(_ tensors: [NamedTensor]) -> [UInt64] {
        tensors.sorted { $0.name.precedesByBytes($1.name) }.map { $0.withBytes { of($0) } }
    }

    package static func of(_ bytes: RawSpan) -> UInt64 { unsafe bytes.withUnsafeBytes { unsafe of($0) } }

    package static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var offset = 0
        var hash: UInt64
        if bytes.count >= 32 {
            var lanes = SIMD4<UInt64>(primes.0 &+ primes.1, primes.1, 0, 0 &- primes.0)
            while bytes.count - offset >= 32 {
                for lane in 0..<4 {
                    lanes[lane] = unsafe round(lanes[lane], word(bytes, offset + 8 * lane))
                }
                offset += 32
            }
            hash = rotate(lanes[0], 1) &+ rotate(lanes[1], 7) &+ rotate(lanes[2], 12) &+ rotate(lanes[3], 18)
            for lane in 0..<4 { hash = (hash ^ round(0, lanes[lane])) &* primes.0 &+ primes.3 }
        } else {
            hash = primes.4
        }
        hash &+= UInt64(bytes.count)
        while bytes.count - offset >= 8 {
            hash = unsafe rotate(hash ^ round(0, word(bytes, offset)), 27) &* primes.0 &+ primes.3
            offset += 8
        }
        if bytes.count - offset >= 4 {
            let half = unsafe UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            hash = rotate(hash ^ (UInt64(half) &* primes.0), 23) &* primes.1 &+ primes.2
            offset += 4
        }
        for index in offset..<bytes.count {
            hash = unsafe rotate(hash ^ (UInt64(bytes[index]) &* primes.4), 11) &* primes.0
        }
        hash = (hash ^ (hash >> 33)) &* primes.1
        hash = (hash ^ (hash >> 29)) &* primes.2
        return hash ^ (hash >> 32)
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotate(lane &+ word &* primes.1, 31) &* primes.0
    }

    private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 { value << bits | value >> (64 - bits) }
}
