internal import Randomness
internal import TensorCore

/// Draws the next token of each row from its scores; the room that it takes is made once.
struct TokenDraw {
    private let settings: SamplingSettings
    private let philox: Philox
    private let classes: Int
    /// `[rows, V]`.
    private let shares: Storage
    /// Classes that are drawn from, in the order in which their shares are added up.
    private var kept: [Int]
    private var position: UInt64 = 0

    init(_ settings: SamplingSettings, rows: Int, classes: Int) {
        self.settings = settings
        self.classes = classes
        philox = Philox(seed: settings.seed, purpose: .sampling)
        shares = Storage(count: rows * classes)
        kept = Array(0..<classes)
    }

    /// One token a row, for the next position.
    mutating func next(_ recurrence: TokenRecurrence, into tokens: inout [Int32]) {
        defer { position += 1 }
        guard settings.temperature > 0 else {
            for row in tokens.indices { tokens[row] = likeliest(recurrence.scores, row: row) }
            return
        }
        recurrence.shares(scaledBy: 1 / settings.temperature, into: shares)
        for row in tokens.indices {
            let words = philox.block(
                UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32), UInt32(row), 0)
            tokens[row] = Int32(pick(row, at: Philox.uniform(words.x)))
        }
    }

    /// The first of the highest scores; one that is not a number counts as the highest.
    private func likeliest(_ scores: Storage, row: Int) -> Int32 {
        let own = unsafe scores.base + row * classes
        var place = 0
        for index in 1..<max(classes, 1) {
            let (value, best) = unsafe (own[index], own[place])
            if value > best || value.isNaN && !best.isNaN { place = index }
        }
        return Int32(place)
    }

    /// The class at which the running sum of shares passes `point` of their whole.
    private mutating func pick(_ row: Int, at point: Float) -> Int {
        let own = unsafe shares.base + row * classes
        var count = classes
        if let limit = settings.topK {
            // Equal shares are kept in class order, so that a tie does not depend on the sort.
            kept.sort { unsafe (own[$1], $0) < (own[$0], $1) }
            count = min(limit, classes)
        }
        var total: Float = 0
        for index in 0..<count { unsafe total += own[kept[index]] }
        var sum: Float = 0
        for index in 0..<count {
            unsafe sum += own[kept[index]]
            if sum > point * total { return kept[index] }
        }
        return kept[count - 1]
    }
}
