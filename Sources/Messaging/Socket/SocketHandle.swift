internal import CZeroMQ

/// libzmq's socket, shared by the `Socket` that owns it with the pollers and monitors that watch it.
///
/// Whoever holds a handle of a closed socket finds it closed, not freed.
@safe
final class SocketHandle {
    let kind: Socket.Kind
    let context: Context
    private var open: UnsafeMutableRawPointer?
    private let thread: UInt
    /// Blocks that libzmq may still read: it knows them by address alone, so that they are kept here.
    private var blocksInFlight: [SharedBytes] = []
    /// Whether libzmq reports the socket's events.
    var isMonitored = false
    /// Counts what is received, for whoever bounds what may wait.
    var intake: Intake?

    init(_ kind: Socket.Kind, in context: Context) throws(MessagingError) {
        unsafe open = try context.openSocket(kind)
        self.kind = kind
        self.context = context
        thread = zmqshim_thread()
    }

    deinit { close() }

    var isOpen: Bool { unsafe open != nil }

    /// libzmq's sockets are not thread-safe; their order of memory accesses is that of one thread.
    private func checkThread() {
        precondition(zmqshim_thread() == thread, "a \(kind) socket is used on another thread than the one that made it")
    }

    func pointer(_ operation: MessagingError.Operation) throws(MessagingError) -> UnsafeMutableRawPointer {
        checkThread()
        guard let open = unsafe open else {
            throw MessagingError(operation, "a \(kind) socket that is closed", code: ENOTSOCK)
        }
        return unsafe open
    }

    /// Keeps a block alive until no message lies in it.
    func keep(_ block: SharedBytes) {
        if blocksInFlight.last === block { return }
        blocksInFlight.removeAll { $0.isIdle }
        blocksInFlight.append(block)
    }

    func releaseIdleBlocks() { blocksInFlight.removeAll { $0.isIdle } }

    func close() {
        guard let open = unsafe open else { return }
        checkThread()
        unsafe self.open = nil
        // While somebody reads the events: libzmq's thread that takes closed sockets away says a last word to the reader, and with none
        // there it would wait for ever, and every socket that is closed later with it.
        if isMonitored { _ = unsafe zmqshim_monitor(open, nil, 0) }
        _ = unsafe zmqshim_socket_close(open)
        context.closed(blocksInFlight: blocksInFlight)
        blocksInFlight = []
    }
}
