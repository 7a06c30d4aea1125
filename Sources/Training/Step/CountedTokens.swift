internal import Sequences

/// How many tokens of a batch count, by rows: worked out once, and asked for each answer.
struct CountedTokens {
    /// Of the rows before each row; of all of them at the end.
    private let before: [UInt64]

    init(_ batch: TokenBatch) {
        var ofRow = [UInt64](repeating: 0, count: batch.rows)
        for time in 0..<batch.steps {
            for row in 0..<batch.rows where batch.targets[time * batch.rows + row] >= 0 { ofRow[row] += 1 }
        }
        before = ofRow.reduce(into: [0]) { before, count in before.append(before[before.count - 1] + count) }
    }

    subscript(rows: Range<Int>) -> UInt64 { before[rows.upperBound] - before[rows.lowerBound] }
}
