package import Coordination
internal import Layers
package import Optimizers
package import Sequences
package import TensorCore

/// What one step did, for ledger, metrics and the progress line.
package struct StepReport: Sendable {
    /// Counted from 1: the number of updates made.
    package let step: UInt64
    /// Mean loss a counted token, in nats.
    package let loss: Double
    package let tokens: UInt64
    package let gradientNorm: Float
    package let learningRate: Float
    /// A checksum of the batch's tokens.
    package let batch: UInt64
    package let checksums: StepChecksums
    /// What of the step is not a finite number; nothing was updated then, and the run must end.
    package let nonFinite: String?
}

/// One run's mathematics, wherever its gradients are computed: batches go out as shards, answers come in, parameters change.
///
/// A step is `beginStep()`, then `add` for answers that cover every shard once, in any order, then `finishStep()`.
package final class Trainer {
    package let configuration: RunConfiguration
    package let source: any SequenceSource
    package let computer: ShardComputer
    /// Steps done.
    package private(set) var step: UInt64 = 0
    /// The state that streams carry into the next step; nil when the source carries none.
    package private(set) var carried: CarriedState?

    private var batch: TokenBatch?
    /// Of this batch, once an answer has been read.
    private var counted: CountedTokens?
    private var nextState: CarriedState?
    private var update: StepUpdate
    /// What a checkpoint may still be written from.
    private var frozen: [FrozenBlock] = []

    package init(_ configuration: RunConfiguration, source: any SequenceSource) {
        self.configuration = configuration
        self.source = source
        computer = ShardComputer(configuration.model(vocabularySize: source.vocabulary.count))
        update = StepUpdate(
            computer.layout, forms: computer.forms, shards: configuration.shards, lossPart: LanguageModel.lossPart,
            optimizer: configuration.makeOptimizer(computer.model.parameters))
        carried = source.carriesState ? .zeros(rows: configuration.batchSize, of: computer.description) : nil
    }

    package var optimizer: ElementwiseOptimizer { update.optimizer }

    package var updateThreads: Int {
        get { update.team.threads }
        set { update.team = ThreadTeam(threads: newValue) }
    }

    package var isDone: Bool { step >= configuration.steps }

    /// Whether the run's own settings want a checkpoint after the last step.
    var isCheckpointStep: Bool { step > 0 && (step % configuration.checkpointEvery == 0 || isDone) }

    /// Fetches the batch of the next step; its rows follow from (seed, step).
    package func beginStep() {
        CrashPoint.reached(.beforeStep, step: step + 1)
        let batch = source.batch(step: step)
        require(
            batch.rows == configuration.batchSize,
            "beginStep: a batch of \(batch.rows) rows, not \(configuration.batchSize)")
        if batch.startsStream, carried != nil {
            carried = .zeros(rows: configuration.batchSize, of: computer.description)
        }
        self.batch = batch
        counted = nil
        nextState = carried
        update.begin()
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

    package var answerLimit: Int {
        SubtreeAnswer.limit(
            computer.layout, shards: configuration.shards,
            stateSize: carried == nil ? 0 : configuration.batchSize * computer.description.stateSize)
    }

    package func answer(travelled block: Storage, for subtree: Subtree) throws(SubtreeAnswerError) -> SubtreeAnswer {
        let rows = ShardWork.rows(
            of: subtree.shards, shardCount: configuration.shards, globalRows: configuration.batchSize)
        let answer = try SubtreeAnswer(
            travelled: block, subtree: subtree, layout: computer.layout,
            stateSize: carried == nil ? 0 : rows.count * computer.description.stateSize)
        guard let counted = counted ?? batch.map({ CountedTokens($0) }) else {
            throw SubtreeAnswerError(description: "an answer while there is no step to be answered")
        }
        self.counted = counted
        guard answer.tokens == counted[rows] else {
            throw SubtreeAnswerError(
                description: "an answer for \(answer.tokens) tokens; these shards have \(counted[rows])")
        }
        // A cross-entropy is never negative, not by rounding either; what is no finite number is not for here.
        guard !answer.lossSum.isFinite || answer.lossSum >= 0 else {
            throw SubtreeAnswerError(description: "an answer with a loss of \(answer.lossSum); expected 0 or more")
        }
        return answer
    }

    /// Bytes of the longest assignment: the whole batch.
    package var assignmentLimit: Int {
        64 + 4 * configuration.batchSize * (2 * source.sequenceLength + computer.description.stateSize)
    }

    package func nonFinitePart(of answer: SubtreeAnswer) -> String? {
        answer.nonFinitePart(computer.layout, lossPart: LanguageModel.lossPart)
    }

    /// Puts an answer into its place in the tree.
    package func add(_ answer: SubtreeAnswer) throws(ReductionError) {
        try update.add(answer)
        if !isReduced { CrashPoint.reached(.someShards, step: step + 1) }
        guard nextState != nil else { return }
        let first = ShardWork.rows(
            of: answer.subtree.shards, shardCount: configuration.shards, globalRows: configuration.batchSize
        ).lowerBound
        nextState?.replace(
            from: first, with: CarriedState(rowSize: computer.description.stateSize, values: answer.state))
    }

    /// Whether every shard of the step is in.
    package var isReduced: Bool { update.isReduced }

    package var packedCount: Int { computer.packedCount }

    package func exportParameters(_ range: Range<Int>, into block: Storage, at place: Int) {
        update.export(range, into: block, at: place)
    }

    package func moveParameters(to place: ParameterPlace) { update.move(to: place) }

    /// A block of the trainer's as it is now, for whoever writes it down while training goes on.
    func freeze(_ block: Storage) -> FrozenBlock {
        let block = FrozenBlock(block)
        frozen.append(block)
        return block
    }

    /// Gives a checkpoint that is still being written copies of what it has not come to.
    private func thaw() {
        let blocks = frozen
        frozen = []
        update.team.run(blocks.map(\.count)) { blocks[$0].thaw() }
    }

    /// Divides once, clips, updates: the step is done.
    package func finishStep(at place: ParameterPlace?) -> StepReport {
        CrashPoint.reached(.reduced, step: step + 1)
        let factor = configuration.schedule.factor(step: step, of: configuration.steps)
        let learningRate = Float(Double(configuration.lr) * factor)
        optimizer.learningRate = Double(learningRate)
        thaw()
        // The next step would begin with it, and so would a run that goes on from a checkpoint.
        let isStateFinite = nextState?.isFinite ?? true
        let done = update.finish(
            clipNorm: configuration.clipNorm, at: place, beside: isStateFinite ? nil : CarriedState.part)
        let report = StepReport(
            step: step + 1, loss: done.loss, tokens: done.tokens, gradientNorm: done.norm, learningRate: learningRate,
            batch: batch.map(Self.checksum) ?? 0, checksums: done.checksums,
            nonFinite: done.nonFinite)
        guard done.nonFinite == nil else { return report }
        step += 1
        carried = nextState
        (batch, counted) = (nil, nil)
        CrashPoint.reached(.updated, step: step)
        return report
    }

    private static func checksum(_ batch: TokenBatch) -> UInt64 {
        unsafe XXH64.hash(batch.inputs.span.bytes) &+ XXH64.hash(batch.targets.span.bytes)
    }

    /// Goes on after step `step` of a run whose parameters and optimiser are in place.
    func goOn(after step: UInt64, carrying state: CarriedState?) {
        self.step = step
        carried = state ?? carried
    }
}
