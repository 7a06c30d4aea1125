package import Coordination
package import TensorCore

/// What the computation of one aligned power-of-two group of shards gives, in one block that travels as it is:
/// gradient sums `[P]`, loss sum and token count, and the carried state of its rows.
package struct SubtreeAnswer: Sendable {
    /// Floats between the gradients and the state: the loss sum and the token count, 64 bits each.
    private static let countsSize = 4

    package let subtree: Subtree
    /// P.
    package let parameterCount: Int
    package let storage: Storage

    /// Floats of an answer for `parameterCount` parameters and `stateSize` floats of state in all.
    package static func size(parameterCount: Int, stateSize: Int) -> Int { parameterCount + countsSize + stateSize }

    package init(subtree: Subtree, parameterCount: Int, storage: Storage) {
        require(
            storage.count >= parameterCount + Self.countsSize,
            "SubtreeAnswer: a block of \(storage.count) floats for \(parameterCount) parameters")
        self.subtree = subtree
        self.parameterCount = parameterCount
        self.storage = storage
    }

    /// Σ of the counted losses, in nats.
    package var lossSum: Double {
        get { Double(bitPattern: word(0)) }
        nonmutating set { setWord(0, newValue.bitPattern) }
    }

    /// Counted tokens.
    package var tokens: UInt64 {
        get { word(1) }
        nonmutating set { setWord(1, newValue) }
    }

    /// State of the group's rows after the step.
    package var state: [Float] {
        get {
            let first = parameterCount + Self.countsSize
            return unsafe Array(UnsafeBufferPointer(start: storage.base + first, count: storage.count - first))
        }
        nonmutating set {
            let first = parameterCount + Self.countsSize
            require(
                newValue.count == storage.count - first,
                "SubtreeAnswer: \(newValue.count) floats of state where there is room for \(storage.count - first)")
            _ = unsafe UnsafeMutableBufferPointer(start: storage.base + first, count: newValue.count)
                .update(fromContentsOf: newValue)
        }
    }

    /// A checksum of the gradient sums.
    func gradientChecksum() -> UInt64 {
        unsafe FastChecksum.of(UnsafeRawBufferPointer(start: storage.base, count: 4 * parameterCount))
    }

    /// left + right, in place of left; the state goes its own way.
    func add(_ right: SubtreeAnswer) {
        storage.add(right.storage, count: parameterCount)
        lossSum += right.lossSum
        tokens += right.tokens
    }

    private func word(_ index: Int) -> UInt64 {
        unsafe UnsafeRawPointer(storage.base + parameterCount).loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)
    }

    private func setWord(_ index: Int, _ value: UInt64) {
        unsafe UnsafeMutableRawPointer(storage.base + parameterCount).storeBytes(
            of: value, toByteOffset: 8 * index, as: UInt64.self)
    }
}
