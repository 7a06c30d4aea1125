internal import CZeroMQ

/// One socket of libzmq. It lives and dies on the thread that made it, and is closed when its owner lets go of it.
///
/// Its calls block at most as long as they are told to; they belong on plain threads, not into async functions.
package struct Socket: ~Copyable {
    package enum Kind: Int32, Sendable, CustomStringConvertible {
        case pair = 0
        case dealer = 5
        case router = 6

        package var description: String {
            switch self {
            case .pair: "pair"
            case .dealer: "dealer"
            case .router: "router"
            }
        }
    }

    let handle: SocketHandle

    package var kind: Kind { handle.kind }

    package init(_ kind: Kind, in context: Context, options: SocketOptions = .control()) throws(MessagingError) {
        let handle = try SocketHandle(kind, in: context)
        try options.apply(to: handle)
        self.handle = handle
    }

    /// A socket whose options are already set.
    init(handle: SocketHandle) {
        self.handle = handle
    }

    // The handle may be held by a poller for longer.
    deinit { handle.close() }

    /// Closes with another linger than its options gave: how long messages not yet sent may still go out.
    package consuming func close(linger: Duration) throws(MessagingError) {
        let result = unsafe zmqshim_set_int(try handle.pointer(.configure), ZMQ_LINGER, linger.milliseconds)
        try MessagingError.check(result, .configure, "a \(kind) socket, linger = \(linger)")
    }

    /// Listens at `endpoint`.
    ///
    /// - Returns: where it really listens: the port is known now, a name has become an address.
    package borrowing func bind(_ endpoint: Endpoint) throws(MessagingError) -> Endpoint {
        let pointer = unsafe try pointer(for: endpoint, .bind)
        try MessagingError.check(unsafe zmqshim_bind(pointer, endpoint.wireText), .bind, "\(endpoint)")
        // Room for the longest path and its scheme.
        let text = unsafe try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) {
            text throws(MessagingError) -> String in
            let result = unsafe zmqshim_last_endpoint(pointer, text.baseAddress!, text.count)
            try MessagingError.check(result, .bind, "\(endpoint), to learn where it listens")
            return unsafe String(cString: text.baseAddress!)
        }
        return try Endpoint(text)
    }

    /// Connects to `endpoint`, now or as soon as somebody listens there, and again after each disconnection.
    package borrowing func connect(_ endpoint: Endpoint) throws(MessagingError) {
        if case .tcp(_, nil) = endpoint.transport {
            throw MessagingError(
                code: EINVAL, operation: .connect,
                message: "connect \(endpoint): any free port can only be bound; wanted a port number")
        }
        let pointer = unsafe try pointer(for: endpoint, .connect)
        try MessagingError.check(unsafe zmqshim_connect(pointer, endpoint.wireText), .connect, "\(endpoint)")
    }

    private borrowing func pointer(
        for endpoint: Endpoint, _ operation: MessagingError.Operation
    ) throws(MessagingError) -> UnsafeMutableRawPointer {
        let pointer = unsafe try handle.pointer(operation)
        if endpoint.isIPv6 {
            try MessagingError.check(unsafe zmqshim_set_int(pointer, ZMQ_IPV6, 1), .configure, "a \(kind) socket, IPv6")
        }
        return unsafe pointer
    }
}
