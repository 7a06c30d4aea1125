internal import CZeroMQ
internal import Synchronization

/// The I/O threads and queues behind all sockets of a process.
///
/// One a process: closing one while another runs can crash libzmq 4.3.4 under encryption. No process forks after making it.
@safe
package final class Context: @unchecked Sendable {
    private struct State {
        var isTerminated = false
        /// How many sockets each thread has open.
        var openSockets: [UInt: Int] = [:]
        /// Blocks that messages of closed sockets may still lie in.
        var blocksInFlight: [SharedBytes] = []
    }

    private let pointer: UnsafeMutableRawPointer
    // Not `Mutex<State>` alone: the blocks are not Sendable, and only their atomic counts are touched in here.
    private struct Guarded: @unchecked Sendable { var state = State() }
    private let guarded = Mutex(Guarded())
    private let monitorsMade = Atomic<Int>(0)

    /// - Parameter ioThreads: 1 serves a machine; 2 serve a coordinator that encrypts, since that happens on them.
    package init(ioThreads: Int = 1) throws(MessagingError) {
        precondition(ioThreads >= 1, "Context: \(ioThreads) I/O threads; the fewest are 1")
        let handle = unsafe zmqshim_context_open(Int32(clamping: ioThreads))
        guard let pointer = unsafe handle.pointer else {
            throw unsafe MessagingError(.open, "the messaging context", code: handle.error)
        }
        unsafe self.pointer = pointer
    }

    deinit { terminate() }

    /// Ends every blocked call on any thread with an error that `isTermination`, waits until all sockets are closed and have
    /// lingered, and frees the rest.
    ///
    /// It would wait for ever for a socket of the calling thread, so that is a programmer's slip.
    package func terminate() {
        let isFirst = guarded.withLock { guarded in
            let own = guarded.state.openSockets[zmqshim_thread(), default: 0]
            precondition(own == 0, "Context.terminate: \(own) sockets of the calling thread are still open")
            defer { guarded.state.isTerminated = true }
            return !guarded.state.isTerminated
        }
        guard isFirst else { return }
        _ = unsafe zmqshim_context_terminate(pointer)
        guarded.withLock { $0.state.blocksInFlight = [] }
    }

    func openSocket(_ kind: Socket.Kind) throws(MessagingError) -> UnsafeMutableRawPointer {
        // Under the lock, so that no socket is asked of a context that has just been freed.
        let handle = unsafe guarded.withLock { guarded -> zmqshim_handle in
            guard !guarded.state.isTerminated else {
                return unsafe zmqshim_handle(pointer: nil, error: zmqshim_context_terminated)
            }
            let handle = unsafe zmqshim_socket_open(pointer, kind.rawValue)
            if unsafe handle.pointer != nil { guarded.state.openSockets[zmqshim_thread(), default: 0] += 1 }
            return unsafe handle
        }
        guard let socket = unsafe handle.pointer else {
            throw unsafe MessagingError(.open, "a \(kind) socket", code: handle.error)
        }
        return unsafe socket
    }

    /// Counts a socket of the calling thread out, and keeps the blocks that its last messages lie in.
    func closed(blocksInFlight: [SharedBytes]) {
        guarded.withLock { guarded in
            let thread = zmqshim_thread()
            let open = guarded.state.openSockets[thread, default: 0] - 1
            guarded.state.openSockets[thread] = open > 0 ? open : nil
            guarded.state.blocksInFlight.removeAll { $0.isIdle }
            guarded.state.blocksInFlight += blocksInFlight
        }
    }

    func monitorEndpoint() -> String {
        "inproc://monitor-\(monitorsMade.add(1, ordering: .relaxed).newValue)"
    }
}
