/// How rows of data fall into time steps, one step after another.
///
/// In a padded batch `[T, B, …]` every step has B rows. In a packed one sequences end one after another, the longest is row 0, and
/// step t has as many rows as there are sequences longer than t.
package struct StepLayout: Sendable, Hashable {
    /// Rows of each time step; none has more than the one before it. `[T]`
    package let counts: [Int]
    /// The first row of each time step. `[T]`
    package let offsets: [Int]
    /// All rows.
    package let rows: Int

    /// - Parameter counts: not empty, falling, at least 1 each.
    package init(counts: [Int]) {
        require(
            !counts.isEmpty && counts.allSatisfy { $0 > 0 } && zip(counts, counts.dropFirst()).allSatisfy { $0 >= $1 },
            "StepLayout: rows of the time steps \(counts); expected one step or more, none with more rows than the one before it"
        )
        self.counts = counts
        var offsets: [Int] = []
        offsets.reserveCapacity(counts.count)
        var rows = 0
        for count in counts {
            offsets.append(rows)
            rows += count
        }
        self.offsets = offsets
        self.rows = rows
    }

    /// Every step with the same rows.
    package init(steps: Int, batch: Int) {
        require(
            steps > 0 && batch > 0,
            "recurrent layer: \(steps) time steps of \(batch) sequences; expected one or more of each")
        self.init(counts: Array(repeating: batch, count: steps))
    }

    /// T.
    package var steps: Int { counts.count }
    /// B.
    package var batch: Int { counts[0] }
    /// Whether all sequences are of one length.
    package var isUniform: Bool { counts[0] == counts[counts.count - 1] }

    /// The last time step of each sequence. `[B]`
    package var lastSteps: [Int] {
        var last = Array(repeating: 0, count: batch)
        for (step, count) in counts.enumerated() { for row in 0..<count { last[row] = step } }
        return last
    }
}
