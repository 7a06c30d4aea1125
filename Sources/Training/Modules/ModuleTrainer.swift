package import Coordination
internal import Foundation
internal import Layers
package import Optimizers
package import TensorCore

/// One training of somebody's own task.
package final class ModuleTrainer<Task: DistributedTask>: StepTrainer {
    package let shards: Int
    package private(set) var step: UInt64 = 0
    package let computer: ModuleComputer<Task>

    private let task: Task
    /// Which of the program's trainings this is.
    private let place: Int
    private let seed: UInt64
    private let precision: Precision?
    private let steps: UInt64
    private let clipNorm: Float
    private let learningRate: ((UInt64) -> Double)?
    private var update: StepUpdate
    private var batch: [Task.Example] = []
    /// Models of the other threads of this process; a model belongs to one thread.
    private var siblings: [ModuleComputer<Task>] = []
    /// How many of them have the parameters of the step at hand.
    private var current = 0

    /// - Parameters:
    ///   - place: which of the program's trainings this is.
    ///   - clipNorm: bound of the gradients' global norm; 0 for none.
    ///   - learningRate: of each step, counted from 0; nil leaves the optimiser's own.
    package init(
        _ task: Task, place: Int = 0, steps: UInt64, shards: Int, seed: UInt64, precision: Precision? = nil,
        clipNorm: Float,
        learningRate: ((UInt64) -> Double)?,
        optimizer: ([Parameter]) -> ElementwiseOptimizer
    ) {
        self.task = task
        self.place = place
        self.steps = steps
        self.shards = shards
        self.seed = seed
        self.precision = precision
        self.clipNorm = clipNorm
        self.learningRate = learningRate
        computer = ModuleComputer(task, seed: seed, precision: precision)
        update = StepUpdate(
            computer.layout, forms: computer.forms, shards: shards, lossPart: Self.lossPart,
            optimizer: optimizer(computer.model.parameters))
    }

    /// Of which layer it is only the task knows.
    private static var lossPart: String { "the loss" }

    package var isDone: Bool { step >= steps }
    package var parameterCount: Int { computer.layout.count }
    /// Workers make the task themselves; what they are told is whether it is the same one.
    package var modelBytes: [UInt8] { Self.modelBytes(of: task, place: place, computer) }
    /// Examples are of any size; a gigabyte of them is too much for a step.
    package var assignmentLimit: Int { 1 << 30 }

    package static func modelBytes(of task: Task, place: Int, _ computer: ModuleComputer<Task>) -> [UInt8] {
        let parameters = computer.layout.entries.map { "\($0.name)\($0.shape)" }.joined(separator: " ")
        let rounded = computer.model.namedParameters.filter { $0.parameter.precision != .fp32 }
        let precisions = rounded.map { " \($0.parameter.precision) \($0.name)" }.joined()
        // A task's own settings count where it can say them.
        let settings = (task as? any Encodable).flatMap { try? JSONEncoder().encode($0) } ?? Data()
        return Array("\(place) \(Task.self) \(computer.seed)\(precisions): \(parameters) ".utf8) + settings
    }

    package func beginStep() {
        batch = task.batch(step: Int(step))
        require(
            batch.count >= shards,
            "batch: step \(step) has \(batch.count) examples for \(shards) shards; expected at least one for each")
        update.begin()
    }

    private func rows(of shards: Range<Int>) -> Range<Int> {
        ShardWork.rows(of: shards, shardCount: self.shards, globalRows: batch.count)
    }

    private func examples(of range: ShardRange) -> [(firstRow: Int, examples: [Task.Example])] {
        range.shards.map { shard in
            let rows = rows(of: shard..<shard + 1)
            return (rows.lowerBound, Array(batch[rows]))
        }
    }

    package func assignment(for range: ShardRange) -> [UInt8] {
        let own = examples(of: range)
        let work = ModuleWork(step: step, firstRows: own.map(\.firstRow), examples: own.map(\.examples))
        do { return Array(try JSONEncoder().encode(work)) } catch {
            fatalError("assignment: the examples of step \(step) cannot be encoded: \(error)")
        }
    }

    package var answerLimit: Int { SubtreeAnswer.limit(computer.layout, shards: shards, stateSize: 0) }

    package func answer(travelled block: Storage, for subtree: Subtree) throws(SubtreeAnswerError) -> SubtreeAnswer {
        try SubtreeAnswer(travelled: block, subtree: subtree, layout: computer.layout, stateSize: 0)
    }

    package func nonFinitePart(of answer: SubtreeAnswer) -> String? {
        answer.nonFinitePart(computer.layout, lossPart: Self.lossPart)
    }

    package func add(_ answer: SubtreeAnswer) throws(ReductionError) { try update.add(answer) }

    package func computation(of range: ShardRange, threads: Int) -> ShardComputation {
        let parts = ShardPartition.split(ShardSet(range), into: threads)
        let computers = computers(parts.count)
        let works = parts.map { (shards: $0, examples: examples(of: $0)) }
        let shared = Shared(computers: computers)
        let step = step
        return ShardComputation(parts: works.count) {
            shared.computers[$0].compute(step: step, shards: works[$0].shards, examples: works[$0].examples)
        }
    }

    /// As many models as threads, with the parameters of this step.
    private func computers(_ count: Int) -> [ModuleComputer<Task>] {
        while siblings.count < count - 1 { siblings.append(ModuleComputer(task, seed: seed, precision: precision)) }
        if count - 1 > current {
            let block = exportParameters()
            for sibling in siblings[current..<count - 1] { sibling.importParameters(block) }
            current = count - 1
        }
        return [computer] + siblings.prefix(count - 1)
    }

    package func exportParameters(_ range: Range<Int>, into block: Storage, at place: Int) {
        update.export(range, into: block, at: place)
    }

    package func moveParameters(to place: ParameterPlace) { update.move(to: place) }

    package var updateThreads: Int {
        get { update.team.threads }
        set { update.team = ThreadTeam(threads: newValue) }
    }

    package var packedCount: Int { computer.packedCount }

    package func finishStep(at place: ParameterPlace?) -> StepReport {
        if let learningRate { update.optimizer.learningRate = learningRate(step) }
        let done = update.finish(clipNorm: clipNorm, at: place)
        let report = StepReport(
            step: step + 1, loss: done.loss, tokens: done.tokens, gradientNorm: done.norm,
            learningRate: Float(update.optimizer.learningRate), batch: 0, checksums: done.checksums,
            nonFinite: done.nonFinite)
        guard done.nonFinite == nil else { return report }
        step += 1
        current = 0
        batch = []
        return report
    }

    /// Each model is used by one thread at a time.
    private struct Shared: @unchecked Sendable {
        let computers: [ModuleComputer<Task>]
    }
}
