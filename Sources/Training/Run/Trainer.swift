package import Coordination
internal import Layers
package import Optimizers
package import Sequences
internal import TensorCore

/// What one step did, for ledger, metrics and the progress line.
package struct StepReport: Sendable {
    /// Counted from 1: the number of updates made.
    package let step: UInt64
    /// Mean loss a counted token, in nats.
    package let loss: Double
    package let tokens: UInt64
    package let gradientNorm: Float
    package let learningRate: Float
    /// Checksums of the batch's tokens, and of the summed gradient before it is divided.
    package let batch: UInt64
    package let gradient: UInt64
}

/// One run's mathematics, wherever its gradients are computed: batches go out as shards, answers come in, parameters change.
///
/// A step is `beginStep()`, then `add` for answers that cover every shard once, in any order, then `finishStep()`.
package final class Trainer {
    package let configuration: RunConfiguration
    package let source: any SequenceSource
    package let computer: ShardComputer
    package let optimizer: Adam
    /// Steps done.
    package private(set) var step: UInt64 = 0
    /// The state that streams carry into the next step; nil when the source carries none.
    package private(set) var carried: CarriedState?

    private var batch: TokenBatch?
    private var nextState: CarriedState?
    private var tree: ReductionTree<SubtreeAnswer>

    package init(_ configuration: RunConfiguration, source: any SequenceSource) {
        self.configuration = configuration
        self.source = source
        computer = ShardComputer(configuration.model(vocabularySize: source.vocabulary.count))
        optimizer = Adam(
            computer.model.parameters, learningRate: configuration.lr,
            settings: .init(
                weightDecay: configuration.weightDecay, decoupledWeightDecay: configuration.optimizer == .adamw))
        tree = Self.emptyTree(configuration)
        carried = source.carriesState ? .zeros(rows: configuration.batchSize, of: computer.description) : nil
    }

    package var isDone: Bool { step >= configuration.steps }

    /// Fetches the batch of the next step; its rows follow from (seed, step).
    package func beginStep() {
        let batch = source.batch(step: step)
        require(
            batch.rows == configuration.batchSize, "beginStep: a batch of \(batch.rows) rows, not \(configuration.batchSize)")
        if batch.startsStream, carried != nil {
            carried = .zeros(rows: configuration.batchSize, of: computer.description)
        }
        self.batch = batch
        nextState = carried
        tree = Self.emptyTree(configuration)
    }

    /// What has to be known to compute some shards of the step at hand.
    package func work(for shards: ShardRange) -> ShardWork {
        guard let batch else { fatalError("work: no step has begun") }
        let rows = ShardWork.rows(
            of: shards.shards, shardCount: configuration.shards, globalRows: configuration.batchSize)
        return ShardWork(
            step: step, shards: shards.shards, shardCount: configuration.shards, globalRows: configuration.batchSize,
            batch: batch.rows(rows), state: carried.map { $0[rows] })
    }

    /// Floats of the answer for a group of shards of the step at hand.
    package func answerSize(of subtree: Subtree) -> Int {
        let rows = ShardWork.rows(
            of: subtree.shards, shardCount: configuration.shards, globalRows: configuration.batchSize)
        return SubtreeAnswer.size(
            parameterCount: computer.layout.count,
            stateSize: carried == nil ? 0 : rows.count * computer.description.stateSize)
    }

    /// Bytes of the longest assignment: the whole batch.
    package var assignmentLimit: Int {
        64 + 4 * configuration.batchSize * (2 * source.sequenceLength + computer.description.stateSize)
    }

    /// Every shard of a step.
    package var wholeStep: ShardRange { ShardRange(first: 0, count: configuration.shards) }

    /// Puts an answer into its place in the tree.
    package func add(_ answer: SubtreeAnswer) throws(ReductionError) {
        try tree.insert(answer, at: answer.subtree)
        guard nextState != nil else { return }
        let first = ShardWork.rows(
            of: answer.subtree.shards, shardCount: configuration.shards, globalRows: configuration.batchSize
        ).lowerBound
        nextState?.replace(
            from: first, with: CarriedState(rowSize: computer.description.stateSize, values: answer.state))
    }

    /// Whether every shard of the step is in.
    package var isReduced: Bool { tree.isWhole }

    /// Divides once, clips, updates: the step is done.
    package func finishStep() -> StepReport {
        guard let root = tree.takeRoot() else { fatalError("finishStep: step \(step) had no shard with rows") }
        let divisor = Float(max(root.tokens, 1))
        let norm = GradientNorm.norm(
            of: root.storage, blocks: computer.layout.entries.map(\.range), divisor: divisor)
        let clip = configuration.clipNorm > 0 ? GradientNorm.clipFactor(norm: norm, bound: configuration.clipNorm) : 1
        let factor = configuration.schedule.factor(step: step, of: configuration.steps)
        optimizer.learningRate = Float(Double(configuration.lr) * factor)
        optimizer.step(gradients: root.storage, divisor: divisor, clip: clip)
        step += 1
        carried = nextState
        defer { batch = nil }
        return StepReport(
            step: step, loss: root.lossSum / Double(max(root.tokens, 1)), tokens: root.tokens, gradientNorm: norm,
            learningRate: optimizer.learningRate, batch: batch.map(Self.checksum) ?? 0,
            gradient: root.gradientChecksum())
    }

    private static func checksum(_ batch: TokenBatch) -> UInt64 {
        unsafe FastChecksum.of(batch.inputs.span.bytes) &+ FastChecksum.of(batch.targets.span.bytes)
    }

    /// Goes on after step `step` of a run whose parameters and optimiser are in place.
    func goOn(after step: UInt64, carrying state: CarriedState?) {
        self.step = step
        carried = state ?? carried
    }

    private static func emptyTree(_ configuration: RunConfiguration) -> ReductionTree<SubtreeAnswer> {
        ReductionTree(shards: configuration.shards) { left, right in left.add(right) }
    }
}
