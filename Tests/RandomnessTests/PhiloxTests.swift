import Randomness
import Testing

/// Known answers: `kat_vectors` of the Random123 distribution, philox4x32 with 10 rounds.
@Test(
    arguments: [
        ([0, 0, 0, 0], (0, 0), SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
        (
            [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff], (0xffff_ffff, 0xffff_ffff),
            SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
        ),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], (0xa409_3822, 0x299f_31d0),
            SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
        ),
    ] as [([UInt32], (UInt32, UInt32), SIMD4<UInt32>)])
func `Philox gives the published answers`(counter: [UInt32], key: (UInt32, UInt32), answer: SIMD4<UInt32>) {
    #expect(Philox(key: key).block(counter[0], counter[1], counter[2], counter[3]) == answer)
}

@Test func `the key of a purpose is the block of its number under the seed`() {
    let block = Philox(key: (0x89ab_cdef, 0x0123_4567)).block(Purpose.windows.rawValue, 0, 0, 0)
    let philox = Philox(seed: 0x0123_4567_89ab_cdef, purpose: .windows)
    #expect(philox.key == (block.x, block.y))
}

@Test func `purposes keep their numbers, since trained results depend on them`() {
    let purposes: [Purpose] = [
        .initialisation, .dropout, .order, .windows, .generated, .validation, .sampling, .identity, .selfTest,
    ]
    #expect(purposes.map(\.rawValue) == Array(1...9))
}

@Test func `both words of a step reach the counter`() {
    let philox = Philox(seed: 1, purpose: .order)
    #expect(philox.block(5, 6, step: 0x0000_0008_0000_0007) == philox.block(5, 6, 7, 8))
}

@Test func `uniform numbers cover 0 up to the last multiple of two to the minus 24`() {
    #expect(Philox.uniform(0) == 0)
    #expect(Philox.uniform(0x0000_00ff) == 0)
    #expect(Philox.uniform(0x8000_0000) == 0.5)
    #expect(Philox.uniform(.max) == 1 - 0x1p-24)
}

@Test func `bounded numbers reach both ends of their range`() {
    #expect(Philox.bounded(0, below: 10) == 0)
    #expect(Philox.bounded(UInt32.max, below: 10) == 9)
    #expect(Philox.bounded(SIMD4(0, 0, 9, 9), below: 1 << 40) == 0)
    #expect(Philox.bounded(SIMD4(.max, .max, 0, 0), below: 1 << 40) == 1 << 40 - 1)
    #expect(Philox.bounded(SIMD4(0, 0x8000_0000, 0, 0), below: 1000) == 500)
}

@Test func `a stream hands out the words of its blocks in order`() {
    let philox = Philox(seed: 9, purpose: .sampling)
    var stream = PhiloxStream(philox, 3, 2, 1)
    let words = (0..<9).map { _ in stream.nextWord() }
    let blocks = (0..<3).map { philox.block(UInt32($0), 3, 2, 1) }
    let expected = blocks.flatMap { [$0.x, $0.y, $0.z, $0.w] }
    #expect(words == Array(expected.prefix(9)))
}

@Test func `a stream's numbers are made of its words, low word first`() {
    let philox = Philox(seed: 9, purpose: .sampling)
    let block = philox.block(0, 4, step: 1 << 40)
    var stream = PhiloxStream(philox, row: 4, step: 1 << 40)
    #expect(stream.nextLongWord() == UInt64(block.y) << 32 | UInt64(block.x))
    #expect(stream.nextUniform() == Philox.uniform(block.z))
    var other = PhiloxStream(philox, row: 4, step: 1 << 40)
    #expect(other.next(below: 1000) == Philox.bounded(block, below: 1000))
}
