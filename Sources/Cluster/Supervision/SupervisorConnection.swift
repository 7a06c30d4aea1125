internal import Foundation
internal import Synchronization

/// A coordinator's side of its supervision: it says how far it is, and hears that it shall stop.
package final class SupervisorConnection: Sendable {
    private struct Report {
        var last: ContinuousClock.Instant?
        /// The last step, where nothing was said of it.
        var unsaid: UInt64?
    }

    private let link: SupervisionLink
    private let report = Mutex(Report())
    /// Steps after which the supervisor has something to do before the run goes on.
    private let awaitedSteps: Set<UInt64>
    /// The last step that it has said it is through with.
    private let through = Atomic<UInt64>(0)
    private static let patience: Duration = .seconds(2)
    /// What throws messages of this run away, where somebody asked for it.
    package let loss: MessageLoss?

    /// When the supervisor is gone, this process is asked to stop: it saves, and ends.
    ///
    /// - Parameter descriptor: this process's end of the connection, which stays open for as long as it lives.
    package init(
        on descriptor: Int32 = STDIN_FILENO, loss: MessageLoss? = nil, awaiting awaitedSteps: Set<UInt64> = []
    ) {
        link = SupervisionLink(descriptor: descriptor)
        self.loss = loss
        self.awaitedSteps = awaitedSteps
        loss?.report { [link] in link.send(.dropped($0)) }
        Thread.detachNewThread { [self] in
            ParentsEnd.continuesThisProcess()
            var buffer: [UInt8] = []
            while let messages = link.receive(waits: true, into: &buffer) {
                for message in messages {
                    switch message {
                    case .stop(let number): StopSignal.request(number)
                    case .through(let step): through.store(step, ordering: .relaxed)
                    default: break
                    }
                }
            }
            StopSignal.request(SIGTERM)
            // For as long as the process lives.
            while true { pause() }
        }
    }

    /// The run is begun in this directory, or goes on there.
    package func begins(in directory: String) { link.send(.run(directory)) }

    /// Says so, but not more often than anybody could use; and waits where the supervisor is to do something at this step.
    package func stepDone(_ step: UInt64) {
        let isAwaited = awaitedSteps.contains(step)
        let now = ContinuousClock.now
        let isDue = report.withLock { report in
            if !isAwaited, let last = report.last, now - last < .milliseconds(20) {
                report.unsaid = step
                return false
            }
            (report.last, report.unsaid) = (now, nil)
            return true
        }
        guard isDue else { return }
        link.send(.step(step))
        guard isAwaited else { return }
        // A worker that is to be killed may not have been started yet.
        while through.load(ordering: .relaxed) < step, StopSignal.received == nil,
            ContinuousClock.now - now < Self.patience
        { usleep(1000) }
    }

    /// A worker, counted from 0, has been started, or has ended where the process is nil.
    func worker(_ number: Int, process: Int32?) { link.send(.worker(number, process: process ?? 0)) }

    /// The result is said, and this process ends with that code.
    package func finished(_ code: Int32) {
        if let step = report.withLock({ $0.unsaid }) { link.send(.step(step)) }
        loss?.tellRest()
        link.send(.finished(code))
    }
}
