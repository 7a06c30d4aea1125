package import Coordination
package import TensorCore

/// Where the parameters of a step lie for workers on this machine: as they are, `[P]`, and in the forms that products read.
package struct ParameterPlace: Sendable {
    package let values: Storage
    package let packed: Storage

    package init(values: Storage, packed: Storage) {
        self.values = values
        self.packed = packed
    }
}

/// One run's mathematics as the machinery around it sees it: batches go out as assignments, answers come in, parameters change.
///
/// A step is `beginStep()`, then answers that cover every shard once, in any order, then `finishStep()`.
package protocol StepTrainer: AnyObject {
    /// S.
    var shards: Int { get }
    /// Steps done.
    var step: UInt64 { get }
    var isDone: Bool { get }
    /// P.
    var parameterCount: Int { get }
    /// What a worker's `WorkerModel` is made from.
    var modelBytes: [UInt8] { get }
    /// Bytes of the longest assignment.
    var assignmentLimit: Int { get }

    /// Fetches the batch of the next step; once more before its end, to begin its sum anew.
    func beginStep()
    /// What a worker has to know beside the parameters to compute some shards of the step at hand.
    func assignment(for range: ShardRange) -> [UInt8]
    /// Floats of the longest answer.
    var answerLimit: Int { get }
    /// Reads an answer for a group of shards of the step at hand, as it has travelled.
    func answer(travelled block: Storage, for subtree: Subtree) throws(SubtreeAnswerError) -> SubtreeAnswer
    /// The first part of an answer that is no finite number: a parameter's gradient, the loss, or the carried state. Nil where all is
    /// well.
    func nonFinitePart(of answer: SubtreeAnswer) -> String?
    /// Puts an answer into its place in the tree.
    func add(_ answer: SubtreeAnswer) throws(ReductionError)
    /// What computes some shards of the step at hand in this process, as workers would.
    func computation(of range: ShardRange, threads: Int) -> ShardComputation
    /// Threads for sums and the update; bits do not depend on it.
    var updateThreads: Int { get set }
    /// Copies some of the parameters, `[P]`, as they are sent, to `place` of a block.
    func exportParameters(_ range: Range<Int>, into block: Storage, at place: Int)
    /// Updates the parameters with the step's sum. One that is not finite changes nothing: the step is not over then, and its sum can be
    /// begun anew, or asked for again.
    ///
    /// - Parameter place: where the new parameters are to lie; nil for where it suits.
    func finishStep(at place: ParameterPlace?) -> StepReport
    /// Floats of the packed forms of the parameters.
    var packedCount: Int { get }
    /// Moves the parameters, which are packed there too.
    func moveParameters(to place: ParameterPlace)
}

extension StepTrainer {
    /// Every shard of a step.
    package var wholeStep: ShardRange { ShardRange(first: 0, count: shards) }

    package func finishStep() -> StepReport { finishStep(at: nil) }

    /// A copy of the parameters, `[P]`, as they are sent.
    package func exportParameters() -> Storage {
        let block = Storage(count: parameterCount)
        exportParameters(0..<parameterCount, into: block, at: 0)
        return block
    }
}

/// A worker's side of the same: parameters and assignments come in, answers go out.
package protocol WorkerModel: AnyObject {
    /// P.
    var parameterCount: Int { get }
    /// Floats of the packed forms of the parameters.
    var packedCount: Int { get }
    /// Takes the parameters; those of a view may stay where they are, and do not change before the next ones are taken.
    ///
    /// - Parameter packed: the forms that products read; nil when they have to be made.
    func importParameters(_ block: Storage, packed: Storage?)
    /// One answer for each aligned power-of-two group of `shards`.
    ///
    /// - Parameter place: where answers can be made; nil for blocks of their own.
    /// - Throws: `ShardWorkError` when the assignment cannot be computed.
    func answers(to assignment: [UInt8], step: UInt64, shards: ShardRange, in place: AnswerPlace?) throws
        -> [SubtreeAnswer]
}

extension WorkerModel {
    package func importParameters(_ block: Storage) { importParameters(block, packed: nil) }

    package func answers(to assignment: [UInt8], step: UInt64, shards: ShardRange) throws -> [SubtreeAnswer] {
        try answers(to: assignment, step: step, shards: shards, in: nil)
    }
}

/// Makes a worker's model from what the coordinator sends; nil when it cannot be made.
package typealias WorkerModelMaker = ([UInt8]) -> (any WorkerModel)?
