/// The words of successive Philox blocks, for draws whose number is not known beforehand.
///
/// Block n has the counter (n, c1, c2, c3), so two streams with different prefixes never share a block.
package struct PhiloxStream: Sendable {
    private let philox: Philox
    private let prefix: (UInt32, UInt32, UInt32)
    private var block = SIMD4<UInt32>()
    private var nextBlock: UInt32 = 0
    private var unused = 0

    package init(_ philox: Philox, _ c1: UInt32, _ c2: UInt32, _ c3: UInt32) {
        self.philox = philox
        prefix = (c1, c2, c3)
    }

    /// The stream of one row of a training step.
    package init(_ philox: Philox, row: UInt32, step: UInt64) {
        self.init(philox, row, step.lowWord, step.highWord)
    }

    /// The next 32 random bits.
    package mutating func nextWord() -> UInt32 {
        if unused == 0 {
            block = philox.block(nextBlock, prefix.0, prefix.1, prefix.2)
            precondition(nextBlock < .max, "PhiloxStream: 2^34 words drawn; the stream would repeat itself")
            nextBlock += 1
            unused = 4
        }
        defer { unused -= 1 }
        return block[4 - unused]
    }

    /// The next 64 random bits, low word first.
    package mutating func nextLongWord() -> UInt64 {
        let low = nextWord()
        return UInt64(nextWord()) << 32 | UInt64(low)
    }

    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    package mutating func nextUniform() -> Float {
        Philox.uniform(nextWord())
    }

    /// Uniform in 0..<bound, from 64 bits.
    package mutating func next(below bound: Int) -> Int {
        precondition(bound > 0, "PhiloxStream: there is no number in 0..<\(bound)")
        return Int(nextLongWord().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
