internal import CZeroMQ

/// What a socket can do without waiting.
package struct Readiness: OptionSet, Hashable, Sendable {
    package let rawValue: Int16
    package init(rawValue: Int16) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: Int16(ZMQ_POLLIN))
    /// At least one peer has room; on a ROUTER that need not be the one that is wanted.
    package static let writable = Readiness(rawValue: Int16(ZMQ_POLLOUT))
}

/// Waits for several sockets of one thread.
package struct Poller {
    /// A socket's place in the poller.
    package struct Slot: Hashable, Sendable { fileprivate let index: Int }

    /// What a wait found; at least one slot is ready.
    package struct Ready: Sendable {
        fileprivate let found: [Readiness]
        package subscript(slot: Slot) -> Readiness { found[slot.index] }
    }

    private var watched: [(handle: SocketHandle, interest: Readiness)] = []
    /// A descriptor of the system's that ends a wait when it is readable.
    var descriptor: Int32?

    package init() {}

    package mutating func add(_ socket: borrowing Socket, for interest: Readiness = .readable) -> Slot {
        watched.append((socket.handle, interest))
        return Slot(index: watched.count - 1)
    }

    package mutating func add(_ monitor: borrowing SocketMonitor) -> Slot {
        add(monitor.socket)
    }

    /// Changes what is waited for; an empty set rests the slot.
    package mutating func watch(_ slot: Slot, for interest: Readiness) {
        watched[slot.index].interest = interest
    }

    /// Waits until a socket is ready.
    ///
    /// - Parameter duration: the longest wait; `nil` for as long as it takes.
    /// - Returns: `nil` when the time is up, or when a signal ended the wait early.
    package func wait(within duration: Duration?) throws(MessagingError) -> Ready? {
        let milliseconds = duration.map { Int($0.milliseconds) } ?? -1
        let count = watched.count + (descriptor == nil ? 0 : 1)
        let (result, found) = unsafe try withUnsafeTemporaryAllocation(of: zmq_pollitem_t.self, capacity: count) {
            items throws(MessagingError) -> (Int32, [Readiness]) in
            for (index, entry) in watched.enumerated() {
                let socket = unsafe try entry.handle.pointer(.poll)
                unsafe items.initializeElement(
                    at: index,
                    to: zmq_pollitem_t(socket: socket, fd: 0, events: entry.interest.rawValue, revents: 0))
            }
            if let descriptor {
                unsafe items.initializeElement(
                    at: watched.count,
                    to: zmq_pollitem_t(socket: nil, fd: descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
            }
            let result = unsafe zmqshim_poll(items.baseAddress, Int32(count), milliseconds)
            return (result, result > 0 ? unsafe items.map { unsafe Readiness(rawValue: $0.revents) } : [])
        }
        if result == 0 || result == -EINTR { return nil }
        try MessagingError.check(result, .poll, "\(count) sockets")
        return Ready(found: found)
    }
}
