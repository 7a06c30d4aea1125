package import Coordination
internal import Layers
package import TensorCore

// The built-in language model behind the two protocols of a step.
extension Trainer: StepTrainer {
    package var shards: Int { configuration.shards }
    package var parameterCount: Int { computer.layout.count }
    package var modelBytes: [UInt8] { computer.description.encoded() }
    package func assignment(for range: ShardRange) -> [UInt8] { work(for: range).encoded() }
}

extension ShardComputer: WorkerModel {
    package var parameterCount: Int { layout.count }
    package var packedCount: Int { forms.count }

    package func importParameters(_ block: Storage, packed: Storage?) {
        layout.write(block, to: model)
        if let packed { forms.adopt(packed, by: model.parameters) }
    }

    package func answers(
        to assignment: [UInt8], step: UInt64, shards: ShardRange, in place: AnswerPlace?
    ) throws -> [SubtreeAnswer] {
        let work = try ShardWork(decoding: assignment)
        guard work.shards == shards.shards, work.step == step, work.fits(description) else {
            throw ShardWorkError(
                description:
                    "assignment of step \(step), shards \(shards): its content is for other shards or another model")
        }
        return compute(work, in: place)
    }

    /// Builds the model that a coordinator describes.
    package static func make(_ bytes: [UInt8]) -> (any WorkerModel)? {
        guard let description = ModelDescription(decoding: bytes), description.fitsMemory else { return nil }
        return ShardComputer(description)
    }
}
