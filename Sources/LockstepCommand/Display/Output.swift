import Foundation

/// Standard output that took no more.
struct OutputError: Error, CustomStringConvertible {
    let number: Int32

    /// The reader went away (`lockstep … | head`): it has what it wanted.
    var isClosedPipe: Bool { number == EPIPE }
    var description: String { "cannot write to standard output: \(unsafe String(cString: strerror(number)))" }
}

/// What the command prints. Foundation's own writes end the process when nobody can take them.
enum Output {
    /// Fills the places of standard streams that are closed: the next file or socket would get their numbers, and with them what is
    /// printed. Writing to standard output still fails.
    static func occupyStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = unsafe open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Results, on standard output.
    ///
    /// - Throws: `OutputError`; what was asked for must not be lost without a word.
    static func write(_ text: String) throws(OutputError) {
        let number = Self.write(text, to: STDOUT_FILENO)
        if number != 0 { throw OutputError(number: number) }
    }

    static func writeLine(_ text: String) throws(OutputError) { try write(text + "\n") }

    /// Words for people, on standard error: where nobody listens they are lost, and the training goes on.
    static func tell(_ text: String) { _ = write(text, to: STDERR_FILENO) }

    /// Returns 0, or the number of the error.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Foundation.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
            }
            if count > 0 { done += count } else if errno != EINTR { return errno }
        }
        return 0
    }
}
