package import Coordination
internal import Dispatch
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
        let parts = ShardPartition.split(ShardSet(range), into: threads)
        for answer in answers(parts.map { trainer.work(for: $0) }, trainer.computer) {
            do { try trainer.add(answer) } catch { fatalError("LocalCompute: \(error)") }
        }
    }

    private func answers(_ works: [ShardWork], _ computer: ShardComputer) -> [SubtreeAnswer] {
        guard works.count > 1 else {
            FloatingPointEnvironment.prepareThread()
            return works.flatMap { computer.compute($0) }
        }
        let shared = SharedComputer(computer: computer)
        let collected = Mutex<[SubtreeAnswer]>([])
        DispatchQueue.concurrentPerform(iterations: works.count) { index in
            FloatingPointEnvironment.prepareThread()
            let answers = shared.computer.compute(works[index])
            collected.withLock { $0 += answers }
        }
        return collected.withLock { $0 }
    }

    /// While shards are computed nobody writes parameters, and everything else that `compute` makes stays on its thread.
    private struct SharedComputer: @unchecked Sendable {
        let computer: ShardComputer
    }
}
