/// A random order of 0..<count that is computed element by element: nothing is stored, nothing is shuffled.
///
/// A Feistel network with Philox as its round function permutes the smallest power of two that holds `count`; a value
/// outside 0..<count is sent through again until it falls inside ("cycle walking": less than two passes on average).
/// Black and Rogaway: "Ciphers with arbitrary finite domains", CT-RSA 2002.
package struct KeyedPermutation: Sendable {
    package let count: Int
    private let philox: Philox
    private let epoch: UInt64
    /// Bits of the low half and of the high half; they differ by one when the domain has an odd number of bits.
    private let lowBits: Int
    private let highBits: Int

    /// Even: each half is mixed equally often. Ten, because the halves of small domains have few bits to hide in.
    private static let rounds: UInt32 = 10

    /// - Parameter epoch: each epoch has an order of its own.
    package init(count: Int, philox: Philox, epoch: UInt64) {
        precondition(count > 0, "KeyedPermutation: count is \(count); the smallest allowed is 1")
        self.count = count
        self.philox = philox
        self.epoch = epoch
        let bits = Int.bitWidth - (count - 1).leadingZeroBitCount
        highBits = bits / 2
        lowBits = bits - bits / 2
    }

    /// Where element `index` of the original order goes.
    package subscript(index: Int) -> Int {
        precondition(index >= 0 && index < count, "KeyedPermutation: index \(index) is not in 0..<\(count)")
        var value = UInt64(index)
        repeat { value = permuted(value) } while value >= UInt64(count)
        return Int(value)
    }

    private func permuted(_ value: UInt64) -> UInt64 {
        var low = value & (1 << lowBits - 1)
        var high = value >> lowBits
        for round in stride(from: 0, to: Self.rounds, by: 2) {
            high ^= word(of: low, round) & (1 << highBits - 1)
            low ^= word(of: high, round + 1) & (1 << lowBits - 1)
        }
        return high << lowBits | low
    }

    /// The round function. Halves have at most 32 bits: a count is below 2⁶³.
    private func word(of half: UInt64, _ round: UInt32) -> UInt64 {
        UInt64(philox.block(half.lowWord, round, step: epoch).x)
    }
}
