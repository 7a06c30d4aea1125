/// Where a run's batches come from: the batch of a step is determined by (seed, step) alone.
package protocol SequenceSource: Sendable {
    /// A file's name, or the name of a generated set.
    var name: String { get }

    /// What the data is, for a hash that tells whether a run goes on with the data it began with: a file's bytes, or
    /// the name and version of a generated set.
    var identity: [UInt8] { get }

    var vocabulary: Vocabulary { get }

    /// T of every training batch.
    var sequenceLength: Int { get }

    /// B of every training batch.
    var batchSize: Int { get }

    /// Whether a batch goes on where the one before it stopped, row by row, so that state is carried between them.
    var carriesState: Bool { get }

    /// Steps in which the training part is seen about once; nil when examples are generated without end.
    var stepsPerEpoch: Int? { get }

    /// The whole batch of a step; steps count from 0.
    func batch(step: UInt64) -> TokenBatch

    /// What training never sees, in batches of up to B rows.
    var validation: TokenBatches { get }
}
