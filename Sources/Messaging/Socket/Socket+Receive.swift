internal import CZeroMQ

/// What arrived.
package enum Received: Sendable {
    case message(Message)
    /// A message of more frames than allowed, which is gone: its sender does not speak the protocol.
    case overlong(sender: PeerIdentity?, user: String?, connection: ConnectionID?, frameCount: Int)
}

extension Socket {
    /// Takes the next message, whole.
    ///
    /// - Parameters:
    ///   - duration: how long to wait for one; a signal ends the wait early.
    ///   - maximumFrames: the most frames a message may have, without the sender's name; more are discarded one by one.
    /// - Returns: `nil` when nothing arrived in time.
    package borrowing func receive(
        within duration: Duration = .zero, maximumFrames: Int = 16
    ) throws(MessagingError) -> Received? {
        precondition(maximumFrames >= 1, "receive: at most \(maximumFrames) frames; the fewest are 1")
        let waits = duration > .zero
        if waits {
            let result = unsafe zmqshim_set_int(try handle.pointer(.receive), ZMQ_RCVTIMEO, duration.milliseconds)
            try MessagingError.check(result, .receive, "on a \(kind) socket, waiting \(duration)")
        }
        var part = zmq_msg_t()
        let result = unsafe zmqshim_receive(try handle.pointer(.receive), &part, waits ? 0 : ZMQ_DONTWAIT)
        if result == -EAGAIN || result == -EINTR { return nil }
        try MessagingError.check(result, .receive, "on a \(kind) socket")

        var sender: PeerIdentity?
        if kind == .router {
            // Read before the part is reused; a router's first part is always followed by another.
            sender = PeerIdentity(taking: &part)
            try receiveNext(&part)
        }
        // From the payload: after `zmq_poll` a router's identity frame has lost it (libzmq 4.3.4).
        let user = unsafe zmq_msg_gets(&part, "User-Id").map { unsafe String(cString: $0) }
        let descriptor = unsafe handle.intake == nil ? -1 : zmq_msg_get(&part, ZMQ_SRCFD)
        var frames: [Frame] = []
        var count = 1
        var travelled = 0
        while true {
            let hasMore = unsafe zmq_msg_more(&part) != 0
            if let intake = handle.intake { travelled += intake.travelled(unsafe zmq_msg_size(&part)) }
            if count <= maximumFrames {
                frames.append(Frame(taking: &part))
            } else {
                frames = []
                unsafe zmq_msg_close(&part)
            }
            guard hasMore else { break }
            try receiveNext(&part)
            count += 1
        }
        let connection = handle.intake?.took(travelled, over: descriptor)
        guard count <= maximumFrames else {
            return .overlong(sender: sender, user: user, connection: connection, frameCount: count)
        }
        return .message(Message(sender: sender, user: user, connection: connection, frames: frames))
    }

    /// The rest of a message is there as soon as its first part is.
    private borrowing func receiveNext(_ part: inout zmq_msg_t) throws(MessagingError) {
        let result = unsafe zmqshim_receive(try handle.pointer(.receive), &part, ZMQ_DONTWAIT)
        try MessagingError.check(result, .receive, "the next frame of a message on a \(kind) socket")
    }
}
