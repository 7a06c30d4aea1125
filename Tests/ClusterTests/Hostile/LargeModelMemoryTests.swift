import Foundation
import Testing

/// What a coordinator holds of a large model: see Limits.md, "What peers can make a coordinator hold".
@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A coordinator's memory for a large model` {
    private static let shards = 8
    private static let steps = 3

    private static func training(checkpointEvery: Int) -> [String] {
        [
            "--set", "addition", "--embedding-dim", "1024", "--hidden-size", "1056", "--num-layers", "2",
            "--batch-size", "8", "--shards", "\(shards)", "--steps", "\(steps)",
            "--checkpoint-every", "\(checkpointEvery)", "--validation-every", "100000", "--json",
        ]
    }

    /// Holds a peak against (5 + log₂ S) · P, 4 MiB a worker and 256 MiB; and, where steps follow on a checkpoint that may still be being
    /// written, the 3 P of a copy.
    private func expectBounded(_ peak: Int, workers: Int, copies: Bool, _ outcome: Outcome) throws {
        #expect(outcome.code == 0, "\(outcome.errors)")
        let parameters = try 4 * #require(Int(outcome.member("parameters")))
        #expect(parameters >= 64 << 20)
        let multiples = 5 + Self.shards.trailingZeroBitCount + (copies ? 3 : 0)
        let limit = multiples * parameters + workers * (4 << 20) + (256 << 20)
        #expect(peak > 4 * parameters && peak < limit, "\(peak >> 20) MiB of \(limit >> 20)")
    }

    @Test func `is bounded with several workers over TCP, and a checkpoint`() throws {
        let live = try LiveCoordinator(Self.training(checkpointEvery: Self.steps))
        // Where one is slow the other computes its shards too: two ranges, and each of them twice.
        let workers = try (0..<2).map { _ in try live.startWorker() }
        var peak = 0
        _ = live.process.wait {
            peak = max(peak, live.peakMemory)
            return false
        }
        try expectBounded(peak, workers: 2, copies: false, live.process.wait())
        // A worker that was still computing is told of the end by nobody.
        for worker in workers { worker.signal(SIGTERM) }
        for worker in workers { _ = worker.wait() }
    }

    @Test(arguments: [1, 3])
    func `is bounded with workers of its own, and checkpoints, what they share included`(every: Int) throws {
        let place = try Workplace()
        let process = try place.start(
            ["train", "--workers", "2", "--run", "\(place.path)/run"] + Self.training(checkpointEvery: every))
        // The process that was started only watches over the coordinator.
        var coordinator: Int32?
        var peak = 0
        _ = process.wait {
            if let coordinator { peak = max(peak, ProcessTable.peakMemory(of: coordinator)) }
            coordinator = coordinator ?? process.coordinator
            return false
        }
        try expectBounded(peak, workers: 2, copies: every < Self.steps, process.wait())
    }
}
