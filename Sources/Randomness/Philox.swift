/// What random words are drawn for; each purpose has a key of its own, so that no two uses of one seed share words.
///
/// The numbers are part of every trained result: a case may be added, none renumbered.
package enum Purpose: UInt32, Sendable {
    case initialisation = 1
    case dropout, order, windows, generated, validation, sampling, identity, selfTest
    /// Faults that are made on purpose.
    case chaos
}

/// Philox 4x32-10, a counter-based generator: a block of random words is a pure function of key and counter.
///
/// There is no state to save or restore: whoever knows (seed, purpose, counter) draws the same words.
/// Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
package struct Philox: Sendable {
    package let key: (UInt32, UInt32)

    /// Takes a key as it is.
    package init(key: (UInt32, UInt32)) {
        self.key = key
    }

    /// Derives the key of a purpose: the first two words of the block of counter (purpose, 0, 0, 0) under the key
    /// `seed`.
    package init(seed: UInt64, purpose: Purpose) {
        let master = Philox(key: (seed.lowWord, seed.highWord))
        let block = master.block(purpose.rawValue, 0, 0, 0)
        key = (block.x, block.y)
    }

    /// The four words of a counter; no two counters of one key share a block.
    @inlinable
    package func block(_ c0: UInt32, _ c1: UInt32, _ c2: UInt32, _ c3: UInt32) -> SIMD4<UInt32> {
        var (x, y, z, w) = (c0, c1, c2, c3)
        var (key0, key1) = key
        for _ in 0..<10 {
            let first = UInt64(0xD251_1F53) &* UInt64(x)
            let second = UInt64(0xCD9E_8D57) &* UInt64(z)
            (x, y, z, w) = (second.highWord ^ y ^ key0, second.lowWord, first.highWord ^ w ^ key1, first.lowWord)
            key0 &+= 0x9E37_79B9
            key1 &+= 0xBB67_AE85
        }
        return SIMD4(x, y, z, w)
    }

    /// The block of a training step: counter (c0, c1, low word of the step, high word of the step).
    @inlinable
    package func block(_ c0: UInt32, _ c1: UInt32, step: UInt64) -> SIMD4<UInt32> {
        block(c0, c1, step.lowWord, step.highWord)
    }
}

// Words to numbers.
extension Philox {
    /// Uniform in [0, 1), a multiple of 2⁻²⁴: every value is exact in Float.
    @inlinable
    package static func uniform(_ word: UInt32) -> Float {
        Float(word >> 8) * 0x1p-24
    }

    /// Uniform in 0..<bound; each value's probability is off by less than bound / 2³² of itself.
    @inlinable
    package static func bounded(_ word: UInt32, below bound: UInt32) -> UInt32 {
        precondition(bound > 0, "bounded: there is no number below 0")
        return (UInt64(word) &* UInt64(bound)).highWord
    }

    /// Uniform in 0..<bound, from a block's first two words; each value's probability is off by less than bound / 2⁶⁴
    /// of itself.
    @inlinable
    package static func bounded(_ block: SIMD4<UInt32>, below bound: Int) -> Int {
        precondition(bound > 0, "bounded: there is no number in 0..<\(bound)")
        let word = UInt64(block.y) << 32 | UInt64(block.x)
        return Int(word.multipliedFullWidth(by: UInt64(bound)).high)
    }
}

extension UInt64 {
    @inlinable package var lowWord: UInt32 { UInt32(truncatingIfNeeded: self) }
    @inlinable package var highWord: UInt32 { UInt32(truncatingIfNeeded: self >> 32) }
}
