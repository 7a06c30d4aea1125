internal import Foundation

/// A moment at which a test may have this process killed, to see that nothing is lost.
///
/// `LOCKSTEP_CRASH_AT=updated:17:/tmp/mark` kills the process with SIGKILL after the update of step 17, unless the file `/tmp/mark` is
/// there; it is made first, so that the process that takes up the run is spared. Several are set apart by commas. Nothing else reads it.
package enum CrashPoint: String, CaseIterable, Sendable {
    /// A new run's directory is there and locked, and nothing of the run; before any step, so of step 0.
    case runLocked = "run-locked"
    case beforeStep = "before-step"
    /// Some of the step's shards are in, not all.
    case someShards = "some-shards"
    case reduced
    /// The parameters are new, and nothing is written yet.
    case updated
    /// The files of a checkpoint are written, none is on the disk for certain.
    case checkpointWritten = "checkpoint-written"
    /// All are but the manifest, which is not there.
    case checkpointUnsealed = "checkpoint-unsealed"
    /// All is on the disk, under another name.
    case checkpointUnnamed = "checkpoint-unnamed"
    /// It has its name; the directory is not on the disk for certain.
    case checkpointNamed = "checkpoint-named"

    // In a worker.
    /// It is welcome and has asked for nothing yet; before any step, so of step 0.
    case workerGreeted = "worker-greeted"
    /// Some of the step's parameters are here; all of them where they lie in shared memory, and nothing was done with them yet.
    case workerParameters = "worker-parameters"
    /// It has all that it needs for a range of the step.
    case workerComputing = "worker-computing"
    /// A part of an answer has gone out.
    case workerAnswering = "worker-answering"
    /// An answer has gone out, and nothing behind it.
    case workerAnswered = "worker-answered"
    /// It has asked for the next range and has none.
    case workerIdle = "worker-idle"

    static let variable = "LOCKSTEP_CRASH_AT"

    private struct Order {
        let point: CrashPoint
        let step: UInt64
        let mark: String
    }

    private static let orders = ordersAsWritten.compactMap(order)

    private static var ordersAsWritten: [Substring] {
        let text = ProcessInfo.processInfo.environment[variable] ?? ""
        return text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false)
    }

    private static func order(_ text: Substring) -> Order? {
        let parts = text.split(separator: ":", maxSplits: 2).map(String.init)
        guard parts.count == 3, let point = CrashPoint(rawValue: parts[0]), let step = UInt64(parts[1]) else {
            return nil
        }
        return Order(point: point, step: step, mark: parts[2])
    }

    /// Refuses an order that no process could carry out.
    package static func requireOrders() throws(ConfigurationError) {
        for text in ordersAsWritten where order(text) == nil {
            let points = allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigurationError(
                description: "\(variable) '\(text)': expected POINT:STEP:FILE, the point one of \(points)")
        }
    }

    /// Ends the process here when a test has asked for it.
    ///
    /// - Parameters:
    ///   - step: counted from 1.
    ///   - lingers: whether what was sent before is to be on its way.
    package static func reached(_ point: CrashPoint, step: UInt64, lingers: Bool = false) {
        guard !orders.isEmpty else { return }
        for order in orders where order.point == point && order.step == step {
            let descriptor = unsafe open(order.mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { continue }
            if lingers { usleep(50_000) }
            kill(getpid(), SIGKILL)
        }
    }
}
