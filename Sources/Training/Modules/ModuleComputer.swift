package import Coordination
internal import Foundation
internal import Layers
package import TensorCore
internal import Tracing

/// Computes gradients of shards of somebody's own task, one shard after another.
package final class ModuleComputer<Task: DistributedTask> {
    package let model: Task.Model
    package let layout: ParameterLayout
    let forms: PackedLayout
    private let task: Task
    let seed: UInt64

    /// - Parameter precision: of all layers' products; nil leaves what the task's model has.
    package init(_ task: Task, seed: UInt64, precision: Precision? = nil) {
        self.task = task
        self.seed = seed
        model = Generator.withDefault(seed: seed) { task.makeModel() }
        if let precision { model.setPrecision(precision) }
        layout = ParameterLayout(model)
        forms = PackedLayout(model.parameters)
    }

    /// Gradient sums of each aligned power-of-two group of `shards`.
    ///
    /// - Parameter examples: of each shard, with the first one's row in the batch.
    func compute(step: UInt64, shards: ShardRange, examples: [(firstRow: Int, examples: [Task.Example])])
        -> [SubtreeAnswer]
    {
        zip(shards.subtrees.map(\.shards), shards.subtrees).map { range, subtree in
            let leaves = range.map { shard in
                let own = examples[shard - shards.first]
                return leaf(
                    shard, step: step, firstRow: own.firstRow, own.examples,
                    room: shard == range.lowerBound ? range.count : 1)
            }
            return SubtreeAnswer.sum(leaves, of: subtree)
        }
    }

    /// - Parameter room: shards that the answer is to stand for once the others are added to it.
    private func leaf(
        _ shard: Int, step: UInt64, firstRow: Int, _ examples: [Task.Example], room: Int
    ) -> SubtreeAnswer {
        var answer = SubtreeAnswer(subtree: .leaf(shard), layout: layout, room: room)
        let sink = ShardedGradients(layout: layout, groups: [1], sums: [answer.storage])
        let changes = model.parameters.map(\.changes)
        let (sum, count) = Trace.span(.forward) {
            withDropout(DropoutStream(seed: seed, step: step, firstRow: firstRow)) { task.loss(model, examples) }
        }
        for (parameter, (entry, before)) in zip(model.parameters, zip(layout.entries, changes)) {
            require(
                parameter.changes == before,
                "loss: \(entry.name) \(entry.shape) changed while a loss was computed, as by an embedding with maxNorm; other processes would not see it"
            )
        }
        require(
            sum.count == 1 && count >= 0,
            "loss: a sum of shape \(sum.shape) over \(count); expected a scalar, and a count of 0 or more")
        Trace.span(.backward) { sum.backward(cotangent: Tensor([1], shape: sum.shape), shards: nil, into: sink) }
        answer.take(sink.tables[0])
        answer.lossSum = Double(sum.item)
        answer.tokens = UInt64(count)
        answer.take(checksums: [
            SubtreeAnswer.shardChecksum(loss: answer.lossSum, tokens: answer.tokens, sketch: sink.sketches[0])
        ])
        return answer
    }
}

extension ModuleComputer: WorkerModel {
    package var parameterCount: Int { layout.count }
    package var packedCount: Int { forms.count }

    package func importParameters(_ block: Storage, packed: Storage?) {
        layout.write(block, to: model)
        if let packed { forms.adopt(packed, by: model.parameters) }
    }

    /// Answers are made in blocks of their own: a shard's is added to its neighbour's before it is one that is sent.
    package func answers(
        to assignment: [UInt8], step: UInt64, shards: ShardRange, in place: AnswerPlace?
    ) throws -> [SubtreeAnswer] {
        let work: ModuleWork<Task.Example>
        do { work = try JSONDecoder().decode(ModuleWork<Task.Example>.self, from: Data(assignment)) } catch {
            throw ShardWorkError(description: "assignment of step \(step), shards \(shards): \(error)")
        }
        guard work.step == step, work.firstRows.count == shards.count, work.examples.count == shards.count else {
            throw ShardWorkError(
                description:
                    "assignment of step \(step), shards \(shards): its content is for step \(work.step), \(work.examples.count) shards"
            )
        }
        // Each shard has rows, and they follow one another.
        var next = work.firstRows[0]
        for (first, examples) in zip(work.firstRows, work.examples) {
            guard first == next, first >= 0, !examples.isEmpty, first <= Int(UInt32.max) - examples.count else {
                throw ShardWorkError(
                    description:
                        "assignment of step \(step), shards \(shards): \(examples.count) rows from row \(first); expected one or more from row \(next)"
                )
            }
            next = first + examples.count
        }
        return compute(step: step, shards: shards, examples: Array(zip(work.firstRows, work.examples)))
    }
}

/// What a worker is sent: the examples of each of its shards.
struct ModuleWork<Example: Codable & Sendable>: Codable, Sendable {
    let step: UInt64
    let firstRows: [Int]
    let examples: [[Example]]
}

extension SubtreeAnswer {
    /// The balanced tree's sum of the answers of a group's shards, in the first one's block.
    static func sum(_ leaves: [SubtreeAnswer], of subtree: Subtree) -> SubtreeAnswer {
        let sum = leaves.balancedSum { left, right in
            var sum = left
            sum.add(right)
            return sum
        }
        return sum.standing(for: subtree)
    }
}
