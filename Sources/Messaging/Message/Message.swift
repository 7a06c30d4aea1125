internal import CZeroMQ

/// The name by which a ROUTER knows a peer.
///
/// It is what the peer calls itself, or five bytes of libzmq's choice: good for routing, no proof of who speaks.
package struct PeerIdentity: Hashable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// A name chosen by us: 1 to 255 bytes, of which the first is not zero (those names are libzmq's own).
    package init(_ bytes: [UInt8]) {
        precondition(
            (1...255).contains(bytes.count) && bytes[0] != 0,
            "PeerIdentity: \(bytes.count) bytes; wanted 1 to 255, the first not zero")
        self.bytes = bytes
    }

    /// A name that came with a message, whoever chose it.
    package init(received bytes: [UInt8]) { self.bytes = bytes }

    /// The name in a part that was received; the part is closed.
    init(taking part: inout zmq_msg_t) {
        let count = unsafe zmq_msg_size(&part)
        bytes = unsafe Array(UnsafeRawBufferPointer(start: zmq_msg_data(&part), count: count))
        unsafe zmq_msg_close(&part)
    }

    package var description: String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}

/// A message that arrived whole.
package struct Message: Sendable {
    /// Who sent it, on a ROUTER; `nil` on other sockets.
    package let sender: PeerIdentity?
    /// Whose key the connection was made with, as the `AdmissionDesk` admitted it; `nil` on a socket without keys.
    package let user: String?
    /// What it came over, on a socket that a `ConnectionGuard` watches.
    package let connection: ConnectionID?
    package let frames: [Frame]
}
