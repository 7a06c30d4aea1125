internal import CZeroMQ

/// How a socket behaves; all of it is set before the socket binds or connects.
///
/// libzmq's own heartbeats are not here: with a full queue they abort the process (libzmq issues 3596, 4767, 4830), and they
/// end healthy peers during long transfers. Liveness is a matter of messages.
package struct SocketOptions: Sendable {
    /// A peer that announces a larger frame is disconnected before a byte of it is stored. Does not bind `inproc`.
    package var maximumMessageBytes: Int
    /// Messages, not frames, that wait for one peer before a send finds no room.
    package var sendHighWater: Int
    /// Messages, not frames, from one peer that wait here before its connection is left to fill.
    package var receiveHighWater: Int
    /// ROUTER: a send to an unknown or full peer says so, instead of dropping the message.
    package var mandatoryRouting = true
    /// DEALER: messages wait only for peers that are there.
    package var immediate = true
    /// How long messages not yet sent outlive the socket. A clean stop gives its own to `Socket.close(linger:)`.
    package var linger: Duration = .zero
    /// A connection that has not introduced itself by then is closed.
    package var handshakeInterval: Duration = .seconds(5)
    /// TCP: how long a connection may be silent before the system probes it; address translators forget idle ones.
    package var keepaliveIdle: Duration = .seconds(30)
    package var reconnectInterval: Duration = .milliseconds(100)
    package var longestReconnectInterval: Duration = .seconds(5)
    /// DEALER: the name that a ROUTER knows this socket by; fresh for each start, since a duplicate is silently mute.
    package var identity: PeerIdentity?
    /// Encryption and keys; `nil` for a socket that only this machine can reach.
    package var security: SocketSecurity?

    package init(maximumMessageBytes: Int, sendHighWater: Int, receiveHighWater: Int, identity: PeerIdentity? = nil) {
        precondition(
            maximumMessageBytes > 0, "SocketOptions: messages of at most \(maximumMessageBytes) bytes; wanted 1 or more"
        )
        precondition(
            sendHighWater > 0 && receiveHighWater > 0,
            "SocketOptions: high water \(sendHighWater) and \(receiveHighWater); wanted 1 or more, since 0 is no limit")
        self.maximumMessageBytes = maximumMessageBytes
        self.sendHighWater = sendHighWater
        self.receiveHighWater = receiveHighWater
        self.identity = identity
    }

    /// The most that waits from a peer whose messages are of one frame each, in bytes as they travel: nobody gets there who does not send
    /// messages of many frames.
    ///
    /// What libzmq's queue takes; one that a ROUTER has fetched to see whose it is, or that is being handed over; and one that has come
    /// and finds no room, behind which nothing is read. Each has its length, and under CURVE a nonce and a code; beside them there is
    /// what was read together with the last one, at most 8 KiB, and the handshake, which nobody is handed.
    package var waitingBytes: Int { (receiveHighWater + 2) * (maximumMessageBytes + 12 << 10) }

    /// Many small messages: registration, heartbeats, assignments.
    package static func control(identity: PeerIdentity? = nil) -> SocketOptions {
        SocketOptions(maximumMessageBytes: 64 << 10, sendHighWater: 1000, receiveHighWater: 1000, identity: identity)
    }

    /// Few large ones: parameters and gradients, in frames of at most `frameBytes`, with room for a header.
    ///
    /// Memory is bounded by peers × high water × frame, provided that a message carries one large frame.
    package static func data(
        frameBytes: Int = 1 << 20, highWater: Int = 4, identity: PeerIdentity? = nil
    ) -> SocketOptions {
        SocketOptions(
            maximumMessageBytes: frameBytes + 4096, sendHighWater: highWater, receiveHighWater: highWater,
            identity: identity)
    }
}

extension SocketOptions {
    func apply(to handle: SocketHandle) throws(MessagingError) {
        func set(_ option: Int32, _ value: Int32, _ name: String) throws(MessagingError) {
            let result = unsafe zmqshim_set_int(try handle.pointer(.configure), option, value)
            try MessagingError.check(result, .configure, "a \(handle.kind) socket, \(name) = \(value)")
        }
        let limit = unsafe zmqshim_set_int64(try handle.pointer(.configure), ZMQ_MAXMSGSIZE, Int64(maximumMessageBytes))
        try MessagingError.check(
            limit, .configure, "a \(handle.kind) socket, largest message = \(maximumMessageBytes) bytes")
        try set(ZMQ_SNDHWM, Int32(clamping: sendHighWater), "send high water")
        try set(ZMQ_RCVHWM, Int32(clamping: receiveHighWater), "receive high water")
        try set(ZMQ_LINGER, linger.milliseconds, "linger in ms")
        try set(ZMQ_HANDSHAKE_IVL, handshakeInterval.milliseconds, "handshake interval in ms")
        try set(ZMQ_TCP_KEEPALIVE, 1, "keepalive")
        try set(ZMQ_TCP_KEEPALIVE_IDLE, keepaliveIdle.milliseconds / 1000, "idle time before keepalive in s")
        try set(ZMQ_RECONNECT_IVL, reconnectInterval.milliseconds, "reconnect interval in ms")
        try set(ZMQ_RECONNECT_IVL_MAX, longestReconnectInterval.milliseconds, "longest reconnect interval in ms")
        if handle.kind == .router { try set(ZMQ_ROUTER_MANDATORY, mandatoryRouting ? 1 : 0, "mandatory routing") }
        if handle.kind == .dealer { try set(ZMQ_IMMEDIATE, immediate ? 1 : 0, "immediate") }
        try security?.apply(to: handle)
        if let identity {
            precondition(
                handle.kind == .dealer, "SocketOptions: an identity on a \(handle.kind) socket; only a dealer has one")
            let bytes = identity.bytes
            let result = unsafe zmqshim_set_bytes(try handle.pointer(.configure), ZMQ_ROUTING_ID, bytes, bytes.count)
            try MessagingError.check(result, .configure, "a dealer socket, identity of \(bytes.count) bytes")
        }
    }
}
