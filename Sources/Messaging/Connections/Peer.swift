internal import CZeroMQ

/// Who is at the other end of a connection: an address and a port, in a form that is kept and compared at no cost.
struct Peer: Hashable, Sendable, CustomStringConvertible {
    /// An address without a port.
    struct Host: Hashable, Sendable {
        let high: UInt64
        let low: UInt64
        let family: UInt16
    }

    let host: Host
    private let port: UInt16

    /// Nil for what is no connection over TCP, or none any more.
    init?(of descriptor: Int32) {
        let address = zmqshim_peer(descriptor)
        guard address.family != 0 else { return nil }
        host = Host(high: address.high, low: address.low, family: address.family)
        port = address.port
    }

    /// As libzmq writes it.
    var description: String {
        let address = zmqshim_address(high: host.high, low: host.low, family: host.family, port: port)
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            unsafe zmqshim_address_text(address, text.baseAddress!, text.count) > 0
                ? unsafe String(cString: text.baseAddress!) : "?"
        }
    }
}
