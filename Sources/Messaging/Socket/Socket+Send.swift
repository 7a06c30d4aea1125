internal import CZeroMQ

/// What became of a message.
package enum SendResult: Hashable, Sendable {
    /// Queued whole.
    case sent
    /// No room, or nobody connected; nothing of the message is queued.
    case wouldBlock
    /// ROUTER: no peer of that name is connected; nothing of the message is queued.
    case unroutable
}

extension Socket {
    /// Sends the frames as one message, which arrives whole or not at all.
    ///
    /// A message of several frames that may be on its way when its socket closes without linger can end the process: libzmq 4.3.4
    /// aborts when the peer goes at that moment and only some of the frames have been taken from the queue (`clean_pipes`,
    /// session_base.cpp). Messages of one frame are safe.
    ///
    /// - Parameter duration: how long to wait for room; a signal ends the wait early.
    package borrowing func send(_ frames: [Payload], within duration: Duration = .zero) throws(MessagingError)
        -> SendResult
    {
        precondition(kind != .router, "send: a router needs to know the peer; use send(_:to:)")
        precondition(!frames.isEmpty, "send: a message without frames; the fewest are 1")
        return try sendParts(frames, within: duration)
    }

    /// Sends the frames as one message to one peer of this ROUTER, where it arrives whole or not at all.
    ///
    /// - Parameter duration: how long to wait for room; a signal ends the wait early.
    package borrowing func send(
        _ frames: [Payload], to peer: PeerIdentity, within duration: Duration = .zero
    ) throws(MessagingError) -> SendResult {
        precondition(kind == .router, "send: a \(kind) does not choose the peer; use send(_:)")
        // libzmq drops a name with nothing behind it without a word.
        precondition(!frames.isEmpty, "send: a message without frames; the fewest are 1")
        return try sendParts([.bytes(peer.bytes)] + frames, within: duration)
    }

    /// Lets go of blocks in which no message lies any more, which otherwise happens when the next one is sent from.
    package borrowing func releaseIdleBlocks() { handle.releaseIdleBlocks() }

    /// Only the first part waits, and only the first can find no room: room is counted in messages. What can still happen
    /// in the middle is that the peer goes, which takes the parts already queued with it.
    private borrowing func sendParts(_ parts: [Payload], within duration: Duration) throws(MessagingError) -> SendResult
    {
        let waits = duration > .zero
        if waits {
            let result = unsafe zmqshim_set_int(try handle.pointer(.send), ZMQ_SNDTIMEO, duration.milliseconds)
            try MessagingError.check(result, .send, "on a \(kind) socket, waiting \(duration)")
        }
        var outcome = SendResult.sent
        for (index, part) in parts.enumerated() {
            let isFirst = index == 0
            let flags = (isFirst && waits ? 0 : ZMQ_DONTWAIT) | (index + 1 < parts.count ? ZMQ_SNDMORE : 0)
            let result = try sendPart(part, flags: flags)
            if result == 0 { continue }
            switch -result {
            case EAGAIN, EINTR:
                outcome = .wouldBlock
                // The peer went. A dealer now discards all parts up to the last one, and only then starts anew: it must
                // see them all, or it would discard the next message's. A pair and a router keep no such state.
                if !isFirst && kind == .dealer { continue }
                return outcome
            case EHOSTUNREACH:
                return .unroutable
            default:
                // Nothing but the end of the socket takes back the parts that are queued.
                if !isFirst { handle.close() }
                throw MessagingError(.send, "frame \(index) of \(parts.count) on a \(kind) socket", code: -result)
            }
        }
        return outcome
    }

    /// - Returns: 0, or the negated error number.
    private borrowing func sendPart(_ part: Payload, flags: Int32) throws(MessagingError) -> Int32 {
        let socket = unsafe try handle.pointer(.send)
        switch part {
        case .bytes(let bytes):
            return unsafe bytes.withUnsafeBytes { unsafe zmqshim_send_copy(socket, $0.baseAddress, $0.count, flags) }
        case .shared(let block, let range):
            let bytes = unsafe block.unsafeBytes(in: range)
            guard bytes.count >= Payload.smallestLent else {
                return unsafe zmqshim_send_copy(socket, bytes.baseAddress, bytes.count, flags)
            }
            handle.keep(block)
            return unsafe zmqshim_send_lent(socket, bytes.baseAddress, bytes.count, block.lent, flags)
        }
    }
}
