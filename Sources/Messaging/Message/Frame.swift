internal import CZeroMQ

/// One frame of a message that arrived, in the memory that libzmq received it into.
///
/// It does not change, so that any thread may read it.
@safe
package final class Frame: @unchecked Sendable {
    // Small frames lie inside the message itself, which therefore needs one address for life.
    private let message: UnsafeMutablePointer<zmq_msg_t>

    /// Moves the content of `part` here.
    init(taking part: inout zmq_msg_t) {
        unsafe message = .allocate(capacity: 1)
        unsafe zmq_msg_init(message)
        unsafe zmq_msg_move(message, &part)
    }

    deinit {
        unsafe zmq_msg_close(message)
        unsafe message.deallocate()
    }

    package var byteCount: Int { unsafe zmq_msg_size(message) }

    private var buffer: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: zmq_msg_data(message), count: byteCount)
    }

    /// The bytes where they are; they may start at any alignment.
    package func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe RawSpan(_unsafeBytes: buffer))
    }

    /// A copy of the bytes.
    package var bytes: [UInt8] { unsafe Array(buffer) }

    /// Copies as many floats as `destination` holds from `byteOffset` on, bits as they are.
    package func copyFloats(from byteOffset: Int = 0, into destination: inout MutableSpan<Float>) {
        let wanted = destination.count * MemoryLayout<Float>.stride
        precondition(
            byteOffset >= 0 && wanted <= byteCount - byteOffset,
            "copyFloats: \(wanted) bytes at \(byteOffset) of a frame of \(byteCount)")
        let source = unsafe UnsafeRawBufferPointer(rebasing: buffer[byteOffset..<byteOffset + wanted])
        unsafe destination.withUnsafeMutableBytes { unsafe $0.copyMemory(from: source) }
    }
}
