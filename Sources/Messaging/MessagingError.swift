internal import CZeroMQ

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// What the world refused: a socket, an address, a directory.
///
/// "Nothing arrived", "no room now" and "no such peer" are results, not errors.
package struct MessagingError: Error, Hashable, CustomStringConvertible {
    package enum Operation: String, Sendable {
        case open, configure, bind, connect, send, receive, poll, monitor, terminate
        /// Reading the text of an endpoint.
        case endpoint
        /// Making or checking the directory of a local socket.
        case directory
    }

    /// The number that the system or libzmq gave; `EINVAL` when the fault was seen before either was asked.
    package let code: Int32
    /// One line: what, where, wanted, got.
    package let message: String
    package let operation: Operation

    package init(code: Int32, operation: Operation, message: String) {
        self.code = code
        self.operation = operation
        self.message = message
    }

    package var description: String { message }

    /// The context is being terminated: whoever owns the socket should close it and leave.
    package var isTermination: Bool { code == zmqshim_context_terminated }
}

extension MessagingError {
    /// An error of libzmq or the system, in its own words.
    init(_ operation: Operation, _ subject: String, code: Int32) {
        let words = unsafe String(cString: zmq_strerror(code))
        self.init(
            code: code, operation: operation, message: "\(operation.rawValue) \(subject): \(words) (error \(code))")
    }

    /// Throws when a call of the shim returned a negated error number.
    @discardableResult
    static func check(
        _ result: Int32, _ operation: Operation, _ subject: @autoclosure () -> String
    ) throws(MessagingError) -> Int32 {
        guard result < 0 else { return result }
        throw MessagingError(operation, subject(), code: -result)
    }
}
