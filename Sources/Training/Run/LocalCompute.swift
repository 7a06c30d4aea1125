package import Coordination
internal import Layers
internal import TensorCore

/// Computes shards in this process, on some threads, each of which does what a worker does with its share.
package struct LocalCompute: Sendable {
    package let threads: Int

    package init(threads: Int) {
        require(threads > 0, "LocalCompute: \(threads) threads")
        self.threads = threads
    }

    /// Adds the answers for every shard of `range` to the trainer's step.
    package func compute(_ range: ShardRange, of trainer: Trainer) { trainer.compute(range, threads: threads) }
}

extension Trainer {
    package func computation(of range: ShardRange, threads: Int) -> ShardComputation {
        let works = ShardPartition.split(ShardSet(range), into: threads).map { work(for: $0) }
        // Each thread would pack what it needs first, and the others would wait for it.
        if works.count > 1 { Parameter.pack(computer.model.parameters, on: ThreadTeam(threads: threads)) }
        let shared = SharedComputer(computer: computer)
        return ShardComputation(parts: works.count) { shared.computer.compute(works[$0]) }
    }

    /// While shards are computed nobody writes parameters, and everything else that `compute` makes stays on its thread.
    private struct SharedComputer: @unchecked Sendable {
        let computer: ShardComputer
    }
}
