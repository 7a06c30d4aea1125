import Cluster
import Coordination
import Foundation
import Messaging
import Sequences
import Synchronization
import Testing
import Training

@Suite(.tags(.processes), .timeLimit(.minutes(3)))
struct `What comes before the first step of a coordinator` {
    /// As the validation of a run that is resumed, which may take longer than a worker waits for a word.
    @Test func `keeps no worker waiting to be taken in`() async throws {
        let place = try Workplace()
        var configuration = RunConfiguration(data: .generated(.hello))
        (configuration.hiddenSize, configuration.embeddingDim, configuration.steps) = (8, 4, 3)
        let trainer = Trainer(configuration, source: try configuration.makeSource())
        let hasJoined = Mutex(false)
        let processes = Mutex<[RunningProcess]>([])
        let path = place.path
        let roster = try await ClusterTraining.coordinate(
            trainer, run: RunID(low: 7, high: 7), incarnation: 1,
            at: Endpoint("ipc://\(path)/socket"),
            fallbackAfter: .seconds(1000), threads: 1,
            ready: { endpoint in
                let worker = try? RunningProcess(
                    Workplace.executable("lockstep"), ["worker", "--connect", "\(endpoint)"], environment: [:],
                    directory: path)
                processes.withLock { $0 = worker.map { [$0] } ?? [] }
            },
            before: {
                for _ in 0..<6000 where !hasJoined.withLock({ $0 }) { usleep(10_000) }
                #expect(hasJoined.withLock { $0 } && trainer.step == 0)
            }, shouldStop: { false },
            note: { sentence in if sentence.contains("joined") { hasJoined.withLock { $0 = true } } },
            stepDone: { _, _ in nil })
        #expect(roster.seen == 1 && trainer.step == 3)
        for process in processes.withLock({ $0 }) { #expect(process.wait().code == 0) }
    }
}
