internal import Messaging

/// Says of a worker's socket that its connection was cut because too much of it waited here: once, since whoever sends too much may do
/// so again and again.
struct CutNotice {
    /// What the socket is there for, for the sentence.
    let connection: String
    private var hasSaid = false

    init(_ connection: String) { self.connection = connection }

    /// The sentence, where there is something to say since the guard was last asked.
    ///
    /// - Throws: what ended the guard.
    mutating func take(from bounds: ConnectionGuard) throws(MessagingError) -> String? {
        guard case .waitingBytes(let count)? = try bounds.takeNews().cuts.first?.reason, !hasSaid else { return nil }
        hasSaid = true
        return "\(connection) was cut: \(count) bytes of it waited here"
    }
}
