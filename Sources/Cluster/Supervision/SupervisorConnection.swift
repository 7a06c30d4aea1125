internal import Foundation
internal import Synchronization

/// A coordinator's side of its supervision: it says how far it is, and hears that it shall stop.
package final class SupervisorConnection: Sendable {
    private struct Report {
        var last: ContinuousClock.Instant?
        var dropped = 0
    }

    private let link = SupervisionLink(descriptor: STDIN_FILENO)
    private let report = Mutex(Report())
    /// What throws messages of this run away, where somebody asked for it.
    package let loss: MessageLoss?

    /// Takes standard input for it. When the supervisor is gone, this process is asked to stop: it saves, and ends.
    package init(loss: MessageLoss? = nil) {
        self.loss = loss
        Thread.detachNewThread { [link] in
            ParentsEnd.continuesThisProcess()
            var buffer: [UInt8] = []
            while let messages = link.receive(waits: true, into: &buffer) {
                for case .stop(let number) in messages { StopSignal.request(number) }
            }
            StopSignal.request(SIGTERM)
            // For as long as the process lives.
            while true { pause() }
        }
    }

    /// The run is begun in this directory, or goes on there.
    package func begins(in directory: String) { link.send(.run(directory)) }

    /// Says so, but not more often than anybody could use.
    package func stepDone(_ step: UInt64) {
        let now = ContinuousClock.now
        let dropped = report.withLock { report -> Int? in
            if let last = report.last, now - last < .milliseconds(20) { return nil }
            report.last = now
            defer { report.dropped = loss?.dropped ?? 0 }
            return (loss?.dropped ?? 0) - report.dropped
        }
        guard let dropped else { return }
        link.send(.step(step))
        if dropped > 0 { link.send(.dropped(dropped)) }
    }

    /// A worker, counted from 0, has been started, or has ended where the process is nil.
    func worker(_ number: Int, process: Int32?) { link.send(.worker(number, process: process ?? 0)) }

    /// The result is said, and this process ends with that code.
    package func finished(_ code: Int32) { link.send(.finished(code)) }
}
