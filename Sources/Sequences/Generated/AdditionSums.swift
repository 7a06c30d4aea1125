internal import Randomness

/// Sums to complete, drawn without end; the loss counts on the answer only.
package struct AdditionSums: SequenceSource {
    package let batchSize: Int
    /// What training never draws, in the order of validation: the same sums in every run, each once.
    package let heldOut: [AdditionSum]
    private let philox: Philox

    /// - Parameter heldOutCount: how many held-out sums validation uses, at most 4,000.
    package init(seed: UInt64, batchSize: Int, heldOutCount: Int = 2000) {
        precondition(batchSize > 0, "AdditionSums: B = \(batchSize)")
        self.batchSize = batchSize
        heldOut = Self.heldOutSums(heldOutCount)
        philox = Philox(seed: seed, purpose: .generated)
    }

    package var name: String { GeneratedSet.addition.rawValue }
    package var identity: [UInt8] { Array("addition/1".utf8) }
    package var vocabulary: Vocabulary { AdditionSum.vocabulary }
    package var sequenceLength: Int { AdditionSum.longestLine - 1 }
    package var carriesState: Bool { false }
    package var stepsPerEpoch: Int? { nil }

    package func batch(step: UInt64) -> TokenBatch {
        Self.batch((0..<UInt32(batchSize)).map { sum(row: $0, step: step) })
    }

    /// The first draw of (row, step) that is not held out; draw n is made of the block of counter (n, row, step).
    private func sum(row: UInt32, step: UInt64) -> AdditionSum {
        // A draw is refused with a chance of 1 in 64, so the loop ends long before its bound.
        for draw in 0..<UInt32(1000) {
            let sum = AdditionSum(drawnFrom: philox.block(draw, row, step: step))
            if !sum.isHeldOut { return sum }
        }
        preconditionFailure("AdditionSums: 1000 held-out sums in a row for row \(row) of step \(step)")
    }

    package var validation: TokenBatches {
        let count = heldOut.count / batchSize + (heldOut.count % batchSize > 0 ? 1 : 0)
        return TokenBatches(count: count) { [heldOut, batchSize] index in
            Self.batch(Array(heldOut[index * batchSize..<min(heldOut.count, (index + 1) * batchSize)]))
        }
    }

    /// The lines of some sums: `[12, B]`.
    package static func batch(_ sums: [AdditionSum]) -> TokenBatch {
        let lines = sums.map(\.line)
        return TokenBatch(
            lines: lines.map(\.symbols), firstCounted: lines.map(\.firstCounted), steps: AdditionSum.longestLine - 1,
            padding: AdditionSum.newline)
    }

    /// Held-out sums as training would draw them, repetitions left out.
    private static func heldOutSums(_ count: Int) -> [AdditionSum] {
        precondition(count > 0 && count <= 4000, "AdditionSums: \(count) held-out sums; from 1 to 4000 are to be had")
        let philox = Philox(seed: 1, purpose: .validation)
        var sums: [AdditionSum] = []
        var seen: Set<AdditionSum> = []
        var draw: UInt64 = 0
        while sums.count < count {
            let sum = AdditionSum(drawnFrom: philox.block(0, 0, step: draw))
            draw += 1
            if sum.isHeldOut && seen.insert(sum).inserted { sums.append(sum) }
        }
        return sums
    }
}
