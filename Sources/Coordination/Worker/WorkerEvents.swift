/// What a worker is told before it starts.
package struct WorkerConfiguration: Sendable {
    /// The program's version.
    package var version: String
    /// The numerics self-test's hash, 32 bytes.
    package var fingerprint: [UInt8]
    /// Who this is, for people: host name and process id.
    package var label: String
    package var threads: UInt32

    /// How streams are cut; another than the standard one in tests only.
    package var framing = Framing.standard
    package var helloInterval: Duration = .seconds(1)
    package var pingInterval: Duration = .seconds(1)
    /// Silence of the coordinator after which the worker says hello again.
    package var silentAfter: Duration = .seconds(5)
    /// How long the worker asks a silent coordinator before it gives up: longer than a network that is mended within a minute
    /// takes, with the time for a new connection.
    package var patience: Duration = .seconds(120)

    package init(version: String, fingerprint: [UInt8], label: String, threads: UInt32) {
        precondition(
            fingerprint.count == Hello.fingerprintBytes,
            "WorkerConfiguration: fingerprint of \(fingerprint.count) bytes; wanted \(Hello.fingerprintBytes)")
        self.version = version
        self.fingerprint = fingerprint
        self.label = label
        self.threads = threads
    }
}

/// What a worker's shell tells the machine.
///
/// The shell hands over what has arrived before it ticks: silence is counted from the last message the machine saw.
package enum WorkerEvent: Sendable {
    case started
    case received(Message)
    /// Frames that are no message.
    case undecodable(DecodeError)
    /// A `compute` directive is done; the sums of the range's subtrees are at hand.
    case computed(step: UInt64, range: ShardRange)
    /// The socket lost its connection and has it again: what was on the way is gone.
    case reconnected
    /// Somebody who holds the coordinator's address, and need not be it, refused a connection in its handshake.
    case turnedAway(String)
    /// This process has to end: a signal, or work that it cannot do.
    case leave(exitCode: Int32, reason: String)
    /// Time has passed; ten times a second will do.
    case tick
}

/// What the machine asks of a worker's shell, to be done in order.
package enum WorkerDirective: Equatable, Sendable {
    case send(Message)
    /// Build the model, if it is another one than before; the headers of answers carry this run and incarnation.
    case welcomed(Welcome, run: RunID, incarnation: UInt64)
    /// Copy the payload that was just received to this place of the step's parameters.
    case storeParameters(step: UInt64, offset: Int, length: Int)
    /// Copy the payload that was just received to this place of the range's assignment stream.
    case storeAssignment(AssignmentFrame)
    /// Parameters and assignment are whole: compute, then say `computed`.
    case compute(step: UInt64, range: ShardRange)
    /// Send the answer stream of one subtree of the range that was computed last. Its frames go the same way as the
    /// pull that follows, and before it.
    case sendAnswer(step: UInt64, subtree: Subtree)
    /// Parameters, assignments and sums of this step are not needed any more.
    case forget(step: UInt64)
    /// End the process with this code and this last line.
    case exit(code: Int32, sentence: String)
}

/// One piece of an assignment and where it belongs.
package struct AssignmentFrame: Hashable, Sendable {
    package let step: UInt64
    package let range: ShardRange
    package let offset: Int
    package let length: Int
    /// Bytes of the whole assignment.
    package let total: Int
}

/// What a worker took no notice of, as counts.
package struct WorkerCounters: Equatable, Sendable {
    package enum Stale: String, CaseIterable, Sendable {
        case run
        case incarnation
        case session
        case step
        case repeatedFrame
        /// More ranges than it asked for.
        case tooMany
        /// A stream that is not as long as the welcome says, or changed on the way.
        case stream
        /// Work that came before the welcome.
        case unregistered
    }

    package internal(set) var stale: [Stale: Int] = [:]
    package internal(set) var malformed: [DecodeError.Code: Int] = [:]
    package internal(set) var hellos = 0
    package internal(set) var rangesComputed = 0
}
