internal import Coordination
internal import Synchronization

/// What the launcher of local workers and the coordinator's loop tell each other.
package final class ChildEvents: Sendable {
    private struct State {
        /// Workers that run, or are being started, and whether they have answered anything.
        var alive: [WorkerID: Bool] = [:]
        var ended: [WorkerID] = []
        var sentences: [String] = []
        var isOver = false
        var isForsaken = false
    }

    private let state = Mutex(State())

    package init() {}

    // MARK: The launcher's side

    /// Says that a worker is about to start; false when the run is over, and nothing may start any more.
    func begin(_ worker: WorkerID) -> Bool {
        state.withLock { state in
            if !state.isOver { state.alive[worker] = false }
            return !state.isOver
        }
    }

    /// Says that a worker's process has ended.
    ///
    /// - Returns: whether it had answered anything.
    func end(_ worker: WorkerID) -> Bool {
        state.withLock { state in
            state.ended.append(worker)
            return state.alive.removeValue(forKey: worker) ?? false
        }
    }

    /// Leaves a sentence for people.
    func report(_ sentence: String) { state.withLock { $0.sentences.append(sentence) } }

    /// Says that no worker is left, nor will be started.
    func forsake() { state.withLock { $0.isForsaken = true } }

    var isOver: Bool { state.withLock { $0.isOver } }

    // MARK: The loop's side

    /// Lets no further worker start.
    package func finish() { state.withLock { $0.isOver = true } }

    var areAlive: Bool { state.withLock { !$0.alive.isEmpty } }

    func noteAnswer(of worker: WorkerID) {
        state.withLock { state in
            if state.alive[worker] != nil { state.alive[worker] = true }
        }
    }

    /// What has been said since the last time.
    func take() -> (ended: [WorkerID], sentences: [String], isForsaken: Bool) {
        state.withLock { state in
            defer { (state.ended, state.sentences, state.isForsaken) = ([], [], false) }
            return (state.ended, state.sentences, state.isForsaken)
        }
    }
}
