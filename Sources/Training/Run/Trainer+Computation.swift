package import Coordination
internal import Layers
internal import TensorCore

extension Trainer {
    /// Each thread does what a worker does with its share.
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
