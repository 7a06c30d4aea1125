/// What came of recomputing some steps of a run.
package struct VerificationResult: Sendable {
    package let run: String
    /// Steps that were to be held against the ledger.
    package let steps: ClosedRange<UInt64>
    /// Whether that is all the run has, so that whatever its directory says of later ones is wrong.
    package let isWhole: Bool
    /// The step of the last line of the ledger, and of the last that the run is to have.
    package let ledgerSteps: UInt64
    package let runSteps: UInt64
    /// The step of the checkpoint that the computation began from; 0 for the beginning.
    package let checkpoint: UInt64

    /// What was held against what was recomputed, beside the ledger.
    package internal(set) var checkpointsCompared = 0
    package internal(set) var metricsCompared = 0
    package internal(set) var summaryCompared = false

    /// The first difference, in one line; nil when everything is identical.
    package internal(set) var finding: String?
    /// The same for a line of the ledger, by shards and layers.
    package internal(set) var difference: LedgerDifference?
    /// The step whose checkpoint is the first difference.
    package internal(set) var differingCheckpoint: UInt64?
    /// Where the ledger itself is damaged among these steps, a sentence each, with what the recomputed lines say of it.
    package internal(set) var damages: [String] = []
    package internal(set) var notes: [String]

    package var isIdentical: Bool { finding == nil && damages.isEmpty }

    init(
        run: String, steps: ClosedRange<UInt64>, isWhole: Bool, ledgerSteps: UInt64, runSteps: UInt64,
        checkpoint: UInt64, notes: [String]
    ) {
        (self.run, self.steps, self.isWhole) = (run, steps, isWhole)
        (self.ledgerSteps, self.runSteps, self.checkpoint) = (ledgerSteps, runSteps, checkpoint)
        self.notes = notes
    }
}
