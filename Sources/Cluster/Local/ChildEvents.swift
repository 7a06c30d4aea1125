internal import Coordination
internal import Synchronization

/// Where the launcher of local workers says that one has ended, for the coordinator's loop to find.
package final class ChildEvents: Sendable {
    private let exited = Mutex<[WorkerID]>([])
    private let failures = Mutex<[String]>([])
    /// Workers that the launcher starts.
    let started: Int

    package init(started: Int = 0) { self.started = started }

    func reportExit(of worker: WorkerID) { exited.withLock { $0.append(worker) } }

    func report(failure: String) { failures.withLock { $0.append(failure) } }

    func takeFailures() -> [String] {
        failures.withLock { sentences in
            defer { sentences = [] }
            return sentences
        }
    }

    func takeExited() -> [WorkerID] {
        exited.withLock { workers in
            defer { workers = [] }
            return workers
        }
    }
}
