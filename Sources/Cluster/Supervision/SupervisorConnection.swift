internal import Foundation
internal import Synchronization

/// A coordinator's side of its supervision: it says how far it is, and hears that it shall stop.
package final class SupervisorConnection: Sendable {
    private struct Report {
        var last: ContinuousClock.Instant?
    }

    private let link = SupervisionLink(descriptor: STDIN_FILENO)
    private let report = Mutex(Report())

    /// Takes standard input for it. When the supervisor is gone, this process is asked to stop: it saves, and ends.
    package init() {
        Thread.detachNewThread { [link] in
            var buffer: [UInt8] = []
            while let messages = link.receive(waits: true, into: &buffer) {
                for case .stop(let number) in messages { StopSignal.request(number) }
            }
            StopSignal.request(SIGTERM)
        }
    }

    /// The run is begun in this directory, or goes on there.
    package func begins(in directory: String) { link.send(.run(directory)) }

    /// Says so, but not more often than anybody could use.
    package func stepDone(_ step: UInt64) {
        let now = ContinuousClock.now
        let isDue = report.withLock { report in
            if let last = report.last, now - last < .milliseconds(50) { return false }
            report.last = now
            return true
        }
        if isDue { link.send(.step(step)) }
    }

    /// The result is said, and this process ends with that code.
    package func finished(_ code: Int32) { link.send(.finished(code)) }
}
