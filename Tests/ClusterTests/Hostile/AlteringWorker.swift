import Cluster
import Coordination
import Foundation
import Messaging
import Synchronization
import TensorCore
import Training

/// A worker in the test's own process that computes as every worker does, and then changes its answers.
final class AlteringWorker: Sendable {
    private let ended = DispatchSemaphore(value: 0)
    private let end = Mutex<(code: Int32, sentence: String)?>(nil)

    init(at endpoint: String, _ alter: @escaping @Sendable (SubtreeAnswer) -> Void) {
        // A thread of its own: the tests' pool may be busy.
        let thread = Thread { [self] in
            let outcome = try? ClusterTraining.work(
                for: Endpoint(endpoint), local: nil,
                makeModel: { ShardComputer.make($0).map { Model($0, alter) } }, note: { _ in })
            end.withLock { $0 = outcome }
            ended.signal()
        }
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Its exit code and last sentence; nil when it could not begin.
    func wait() -> (code: Int32, sentence: String)? {
        ended.wait()
        return end.withLock { $0 }
    }

    private final class Model: WorkerModel {
        private let model: any WorkerModel
        private let alter: (SubtreeAnswer) -> Void

        init(_ model: any WorkerModel, _ alter: @escaping (SubtreeAnswer) -> Void) {
            (self.model, self.alter) = (model, alter)
        }

        var parameterCount: Int { model.parameterCount }
        var packedCount: Int { model.packedCount }
        func importParameters(_ block: Storage, packed: Storage?) { model.importParameters(block, packed: packed) }

        func answers(
            to assignment: [UInt8], step: UInt64, shards: ShardRange, in place: AnswerPlace?
        ) throws -> [SubtreeAnswer] {
            let answers = try model.answers(to: assignment, step: step, shards: shards, in: place)
            for answer in answers { alter(answer) }
            return answers
        }
    }
}
