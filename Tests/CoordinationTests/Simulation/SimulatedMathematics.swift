import Coordination

/// A training whose numbers are hashes: adding is neither associative nor commutative, so that any fault in order, count,
/// parameters or carried state shows in every later step.
struct SimulatedMathematics {
    /// What a step changes; both halves are needed to go on.
    struct State: Equatable {
        var parameters: [UInt64]
        var moments: [UInt64]
    }

    /// What the ledger says of a step, chained to the line before.
    struct LedgerLine: Equatable {
        let step: Int
        let gradient: UInt64
        let parameters: UInt64
        let hash: UInt64

        static func head(_ lines: some BidirectionalCollection<LedgerLine>) -> UInt64 { lines.last?.hash ?? 0 }
    }

    let shards: Int
    /// Parameters, eight bytes each.
    let words: Int
    let salt: UInt64

    var first: State {
        State(
            parameters: (0..<words).map { mixed(salt &+ UInt64($0)) }, moments: Array(repeating: 0, count: words))
    }

    /// The rows of some shards of a step: one word a shard.
    func batch(step: UInt64, range: ShardRange) -> [UInt64] {
        range.shards.map { mixed(salt ^ mixed(step &* 1_000_003 &+ UInt64($0))) }
    }

    /// One shard's sum; nil for a shard without rows.
    static func gradient(of row: UInt64, parameters: [UInt64]) -> [UInt64]? {
        row % 7 == 0 ? nil : parameters.enumerated().map { mixed($1 ^ row &+ UInt64($0)) }
    }

    static func add(_ left: inout [UInt64], _ right: [UInt64]) {
        for index in left.indices { left[index] = mixed(left[index] &* 3 &+ right[index]) }
    }

    static func updated(_ state: State, with root: [UInt64]?) -> State {
        var state = state
        for index in state.parameters.indices {
            state.moments[index] = mixed(state.moments[index] &* 5 &+ (root?[index] ?? 0x5EED))
            state.parameters[index] = mixed(state.parameters[index] &+ state.moments[index])
        }
        return state
    }

    static func line(step: Int, root: [UInt64]?, state: State, after previous: UInt64) -> LedgerLine {
        let gradient = (root ?? []).reduce(1) { mixed($0 ^ $1) }
        let parameters = state.parameters.reduce(2) { mixed($0 ^ $1) }
        let hash = [UInt64(step), gradient, parameters].reduce(previous) { mixed($0 &* 31 &+ $1) }
        return LedgerLine(step: step, gradient: gradient, parameters: parameters, hash: hash)
    }

    /// What one process without a fault does: the states before each step and after the last, and the ledger.
    func faultFree(steps: Int) -> (states: [State], ledger: [LedgerLine]) {
        var states = [first]
        var ledger: [LedgerLine] = []
        for step in 0..<steps {
            let rows = batch(step: UInt64(step), range: ShardRange(first: 0, count: shards))
            let root = sum(rows[...], parameters: states[step].parameters)
            states.append(Self.updated(states[step], with: root))
            ledger.append(Self.line(step: step, root: root, state: states[step + 1], after: LedgerLine.head(ledger)))
        }
        return (states, ledger)
    }

    private func sum(_ rows: ArraySlice<UInt64>, parameters: [UInt64]) -> [UInt64]? {
        guard rows.count > 1 else { return Self.gradient(of: rows.first!, parameters: parameters) }
        let middle = rows.startIndex + rows.count / 2
        guard var left = sum(rows[..<middle], parameters: parameters) else {
            return sum(rows[middle...], parameters: parameters)
        }
        if let right = sum(rows[middle...], parameters: parameters) { Self.add(&left, right) }
        return left
    }
}

/// Words as they travel, little-endian.
func bytes(of words: [UInt64]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(8 * words.count)
    for word in words {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
    }
    return bytes
}

func words(of bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count & ~7, by: 8).map { start in
        (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(bytes[start + $1]) }
    }
}
