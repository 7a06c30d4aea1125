internal import CZeroMQ
internal import Synchronization

/// One connection of a socket that a `ConnectionGuard` watches.
///
/// It is the number of a descriptor, which another connection may have after this one.
package struct ConnectionID: Hashable, Sendable {
    let gate: Int
    let descriptor: Int32
}

/// Counts what is taken off one socket, by the connection that it came over, in bytes as they travelled.
final class Intake: Sendable {
    private let gate: Int
    let isEncrypted: Bool
    private static let little: Int64 = 16 << 10
    private let taken = Mutex<[Int32: Int64]>([:])

    init(gate: Int, isEncrypted: Bool) {
        self.gate = gate
        self.isEncrypted = isEncrypted
    }

    /// Bytes that a peer has sent when it has introduced itself: ZMTP's greeting, and under CURVE its hello, whose box is made with the
    /// server's key; libzmq closes a connection at once where it is not.
    var introduction: Int { 64 + (isEncrypted ? 2 + 200 : 1) }

    /// What a frame of this length was on its way: ZMTP's flags and length, and under CURVE the command's name, a nonce, the box's
    /// code of authentication and the flags inside (rfc.zeromq.org/spec/23, spec/26).
    func travelled(_ byteCount: Int) -> Int {
        let content = byteCount + (isEncrypted ? 8 + 8 + 16 + 1 : 0)
        return content + (content > 255 ? 9 : 2)
    }

    /// - Returns: `nil` where libzmq did not say over which connection.
    func took(_ byteCount: Int, over descriptor: Int32) -> ConnectionID? {
        guard descriptor >= 0 else { return nil }
        taken.withLock { $0[descriptor, default: 0] += Int64(byteCount) }
        return ConnectionID(gate: gate, descriptor: descriptor)
    }

    /// What has arrived over a connection and was not taken.
    struct Waiting {
        /// What libzmq holds of it. Never more than that, but for a little.
        var held = 0
        /// Whether the system has more, which libzmq may read at any time.
        var isUnread = false
        /// Everything that has come over the connection so far.
        var arrived = 0
    }

    func waiting(over descriptor: Int32) -> Waiting {
        let before = taken.withLock { $0[descriptor] ?? 0 }
        // Most connections are quiet, and one question to the system is enough for them.
        let first = zmqshim_arrived(descriptor)
        let most = first - before
        if (0..<Self.little).contains(most) { return Waiting(held: Int(most), arrived: Int(first)) }
        let unreadBefore = zmqshim_unread(descriptor)
        let arrived = zmqshim_arrived(descriptor)
        let unread = zmqshim_unread(descriptor)
        guard arrived >= 0, unread >= 0, unreadBefore >= 0 else { return Waiting() }
        // More taken than libzmq can have read by then: it was taken of an earlier connection of this number.
        let excess = before - (arrived - unreadBefore)
        let after = taken.withLock { taken in
            if excess > 0 { taken[descriptor, default: 0] -= excess }
            return taken[descriptor] ?? 0
        }
        return Waiting(
            held: Int(max(0, arrived - unread - after)), isUnread: unread > 0, arrived: Int(arrived))
    }

    func forget(_ descriptor: Int32) { taken.withLock { $0[descriptor] = nil } }
}
