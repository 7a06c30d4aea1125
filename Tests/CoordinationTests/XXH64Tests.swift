import Coordination
import Testing

@Suite struct XXH64Tests {
    /// Bytes 0x9E, … as the reference implementation's sanity check makes them.
    private func sanityBytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var generator: UInt64 = 2_654_435_761
        for _ in 0..<count {
            bytes.append(UInt8(truncatingIfNeeded: generator >> 56))
            generator &*= 11_400_714_785_074_694_797
        }
        return bytes
    }

    private func hash(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
        unsafe XXH64.hash(bytes.span.bytes, seed: seed)
    }

    @Test func `short known answers`() {
        #expect(hash([]) == 0xEF46_DB37_51D8_E999)
        #expect(hash(Array("abc".utf8)) == 0x44BC_2CF5_AD77_0999)
        #expect(hash(Array("the gradient of shard 3 arrived".utf8)) == 0xAE01_9AA9_D912_037D)
        #expect(hash(Array("xxhash".utf8), seed: 20_141_025) == 0xB559_B98D_844E_0635)
    }

    @Test func `the reference implementation's sanity values`() {
        let seed: UInt64 = 2_654_435_761
        let answers: [(count: Int, plain: UInt64, seeded: UInt64)] = [
            (0, 0xEF46_DB37_51D8_E999, 0xAC75_FDA2_929B_17EF),
            (1, 0xE934_A84A_DB05_2768, 0x5014_6076_43A9_B4C3),
            (4, 0x9136_A0DC_A574_57EE, 0xCAAB_286B_D8E9_FDB5),
            (14, 0x8282_DCC4_994E_35C8, 0xC3BD_6BF6_3DEB_6DF0),
            (222, 0xB641_AE8C_B691_C174, 0x20CB_8AB7_AE10_C14A),
        ]
        for answer in answers {
            #expect(hash(sanityBytes(answer.count)) == answer.plain, "\(answer.count) bytes")
            #expect(hash(sanityBytes(answer.count), seed: seed) == answer.seeded, "\(answer.count) bytes, seeded")
        }
    }

    @Test func `every single flipped bit changes it`() {
        var bytes = sanityBytes(75)
        let whole = hash(bytes)
        for bit in 0..<bytes.count * 8 {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(hash(bytes) != whole, "bit \(bit)")
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }
}
