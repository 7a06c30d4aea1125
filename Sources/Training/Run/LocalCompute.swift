package import Coordination
internal import Dispatch
internal import Layers
internal import Synchronization
internal import TensorCore

/// Computes shards in this process, on some threads, each of which does what a worker does with its share.
package struct LocalCompute: Sendable {
    package let threads: Int

    package init(threads: Int) {
        require(threads > 0, "LocalCompute: \(threads) threads")
        self.threads = threads
    }

    /// Adds the answers for every shard of `range` to the trainer's step.
    package func compute(_ range: ShardRange, of trainer: Trainer) {
        trainer.updateThreads = threads
        let works = ShardPartition.split(ShardSet(range), into: threads).map { trainer.work(for: $0) }
        // Each thread would pack what it needs first, and the others would wait for it.
        if works.count > 1 { Parameter.pack(trainer.computer.model.parameters, on: ThreadTeam(threads: threads)) }
        let shared = SharedComputer(computer: trainer.computer)
        trainer.addAnswers(ofParts: works.count) { shared.computer.compute(works[$0]) }
    }

    /// While shards are computed nobody writes parameters, and everything else that `compute` makes stays on its thread.
    private struct SharedComputer: @unchecked Sendable {
        let computer: ShardComputer
    }
}

extension StepTrainer {
    /// Computes parts of the step at hand, each on a thread of its own, and adds their answers.
    func addAnswers(ofParts count: Int, _ compute: @Sendable (Int) -> [SubtreeAnswer]) {
        let collected = Mutex<[SubtreeAnswer]>([])
        DispatchQueue.concurrentPerform(iterations: count) { part in
            FloatingPointEnvironment.prepareThread()
            let answers = compute(part)
            collected.withLock { $0 += answers }
        }
        for answer in collected.withLock({ $0 }) {
            do { try add(answer) } catch { fatalError("compute: \(error)") }
        }
    }
}
