internal import CZeroMQ

/// Something that happened to a connection of a socket.
package struct MonitorEvent: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A connection stands, though the peers have not introduced themselves yet.
        case connected
        case accepted
        /// The peers know each other; messages flow.
        case handshakeSucceeded
        case handshakeFailed(HandshakeFailure)
        /// The connection broke or was cut: the peer went, or sent more than is allowed.
        case disconnected
        /// Connecting came to nothing, or a listener was closed.
        case closed
        /// Listening, or taking a connection, failed with this error number.
        case bindFailed(Int32)
        case acceptFailed(Int32)
        /// The socket was closed; nothing follows.
        case stopped
    }

    package enum HandshakeFailure: Hashable, Sendable {
        /// The connection ended with this error number before the peers knew each other.
        case system(Int32)
        /// The peers do not speak the same protocol, or not with matching keys: libzmq's `ZMQ_PROTOCOL_ERROR` number.
        case violation(UInt32)
        /// The peer's key was refused, with this status (300, 400 or 500).
        case refused(UInt32)
    }

    package let kind: Kind
    /// The endpoint concerned, as libzmq writes it.
    package let address: String
    /// The connection, where it is one that has come to stand or has ended.
    let descriptor: Int32?
}

/// Reads what happens to the connections of one socket; made before the socket binds or connects, on its thread.
package struct SocketMonitor: ~Copyable {
    let socket: Socket
    /// `nil` where the events are read on another thread, which reads them until the last.
    private let monitored: SocketHandle?

    package init(of monitored: borrowing Socket) throws(MessagingError) {
        let endpoint = try Self.begin(monitored)
        socket = try Self.reader(at: endpoint, in: monitored.handle.context)
        self.monitored = monitored.handle
    }

    /// Reads the events of a socket of another thread, until `stopped`.
    init(readingFrom endpoint: String, in context: Context) throws(MessagingError) {
        socket = try Self.reader(at: endpoint, in: context)
        monitored = nil
    }

    /// Has libzmq report the events of `monitored`.
    ///
    /// - Returns: where they can be read.
    static func begin(_ monitored: borrowing Socket) throws(MessagingError) -> String {
        let endpoint = monitored.handle.context.monitorEndpoint()
        let events =
            ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
            | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED
            | ZMQ_EVENT_CLOSED | ZMQ_EVENT_BIND_FAILED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_MONITOR_STOPPED
        let result = unsafe zmqshim_monitor(try monitored.handle.pointer(.monitor), endpoint, Int32(events))
        try MessagingError.check(result, .monitor, "a \(monitored.kind) socket")
        monitored.handle.isMonitored = true
        return endpoint
    }

    private static func reader(at endpoint: String, in context: Context) throws(MessagingError) -> Socket {
        let handle = try SocketHandle(.pair, in: context)
        // No high water: libzmq reports from its I/O thread with a send that waits, and one full queue would stop all traffic.
        let limit = unsafe zmqshim_set_int(try handle.pointer(.configure), ZMQ_RCVHWM, 0)
        try MessagingError.check(limit, .configure, "the monitor of a socket")
        let connection = unsafe zmqshim_connect(try handle.pointer(.monitor), endpoint)
        try MessagingError.check(connection, .monitor, "a socket")
        return Socket(handle: handle)
    }

    // Before our end closes: without a reader, libzmq's I/O thread would wait for one for ever (libzmq issue 3575).
    deinit {
        guard let monitored, let pointer = unsafe try? monitored.isOpen ? monitored.pointer(.monitor) : nil else {
            return
        }
        _ = unsafe zmqshim_monitor(pointer, nil, 0)
        monitored.isMonitored = false
    }

    /// The next event, or `nil` when none came in time.
    package borrowing func next(within duration: Duration = .zero) throws(MessagingError) -> MonitorEvent? {
        while true {
            guard let received = try socket.receive(within: duration) else { return nil }
            if case .message(let message) = received, let event = MonitorEvent(message) { return event }
        }
    }
}

extension MonitorEvent {
    /// - Returns: `nil` for an event that has no kind here.
    init?(_ message: Message) {
        guard message.frames.count == 2, message.frames[0].byteCount == 6 else { return nil }
        let (number, value) = message.frames[0].withBytes { bytes in
            unsafe (
                bytes.unsafeLoadUnaligned(as: UInt16.self),
                bytes.unsafeLoadUnaligned(fromByteOffset: 2, as: UInt32.self)
            )
        }
        switch Int32(number) {
        case ZMQ_EVENT_CONNECTED: kind = .connected
        case ZMQ_EVENT_ACCEPTED: kind = .accepted
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: kind = .handshakeSucceeded
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: kind = .handshakeFailed(.system(Int32(bitPattern: value)))
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: kind = .handshakeFailed(.violation(value))
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: kind = .handshakeFailed(.refused(value))
        case ZMQ_EVENT_DISCONNECTED: kind = .disconnected
        case ZMQ_EVENT_CLOSED: kind = .closed
        case ZMQ_EVENT_BIND_FAILED: kind = .bindFailed(Int32(bitPattern: value))
        case ZMQ_EVENT_ACCEPT_FAILED: kind = .acceptFailed(Int32(bitPattern: value))
        case ZMQ_EVENT_MONITOR_STOPPED: kind = .stopped
        default: return nil
        }
        address = String(decoding: message.frames[1].bytes, as: UTF8.self)
        let isOfOne = [.connected, .accepted, .disconnected].contains(kind)
        descriptor = isOfOne ? Int32(bitPattern: value) : nil
    }
}
