internal import CZeroMQ

/// Says over which connections something has come since it was last asked, so that quiet ones need not be looked at.
///
/// On Linux only; elsewhere it never says anything.
@safe
final class Arrivals {
    /// Readable when there is something to say.
    let descriptor: Int32?

    init() {
        let set = zmqshim_arrivals_open()
        descriptor = set >= 0 ? set : nil
    }

    deinit { if let descriptor { zmqshim_arrivals_close(descriptor) } }

    /// Adds a connection, until it is closed. What has come over it before counts as having come since.
    func add(_ connection: Int32) { if let descriptor { zmqshim_arrivals_add(descriptor, connection) } }

    /// The descriptors of these connections, of each once; of very many, the others are said the next time.
    func take() -> [Int32] {
        guard let descriptor else { return [] }
        return unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: 256) { found in
            let count = unsafe zmqshim_arrivals_take(descriptor, found.baseAddress!)
            return unsafe Array(found.prefix(Int(count)))
        }
    }
}
