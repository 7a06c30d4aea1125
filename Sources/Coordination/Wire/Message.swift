/// One message: its header, and what its payload says.
///
/// The payload of a stream frame is not in here: it stays in the receiver's buffer, and the machines say where it goes.
package struct Message: Hashable, Sendable {
    package enum Body: Hashable, Sendable {
        case hello(Hello)
        /// The header names the range that was finished or let go, if there was one.
        case pull(WorkerStatus)
        case answer
        case goodbye(reason: String)
        case ping(WorkerStatus)

        case welcome(Welcome)
        case refused(Refusal)
        case parameters
        case assignment
        case register
        case pong
        case stop(reason: String)
    }

    package let header: Header
    package let body: Body

    package init(header: Header, body: Body) {
        self.header = header
        self.body = body
    }

    /// A message that is no stream frame.
    package init(_ body: Body, run: RunID, incarnation: UInt64, step: UInt64 = 0, shards: ShardRange? = nil) {
        let kind = body.kind
        precondition(!kind.isStream, "Message: a frame of \(kind) is made by StreamFrames")
        self.body = body
        header = Header(
            kind: kind, run: run, incarnation: incarnation, step: step, shards: shards, length: body.encoded.count)
    }

    /// Reads the two parts of a message that arrived at `receiver`.
    ///
    /// Total: any bytes give a message or an error.
    package init(
        header headerBytes: RawSpan, payload: RawSpan, receiver: Role, framing: Framing = .standard
    ) throws(DecodeError) {
        let header = try Header(decoding: headerBytes, payload: payload, receiver: receiver, framing: framing)
        self.init(header: header, body: try Body(kind: header.kind, payload: payload))
    }

    /// The two parts of a message that is no stream frame; they are sent as one frame.
    package func encoded() -> (header: [UInt8], payload: [UInt8]) {
        precondition(!header.kind.isStream, "Message.encoded: a frame of \(header.kind) has its payload elsewhere")
        let payload = body.encoded
        return (unsafe header.encoded(with: payload.span.bytes), payload)
    }
}

extension Message.Body {
    package var kind: MessageKind {
        switch self {
        case .hello: .hello
        case .pull: .pull
        case .answer: .answer
        case .goodbye: .goodbye
        case .ping: .ping
        case .welcome: .welcome
        case .refused: .refused
        case .parameters: .parameters
        case .assignment: .assignment
        case .register: .register
        case .pong: .pong
        case .stop: .stop
        }
    }

    var encoded: [UInt8] {
        var writer = ByteWriter()
        switch self {
        case .hello(let hello): hello.write(to: &writer)
        case .pull(let status), .ping(let status): status.write(to: &writer)
        case .welcome(let welcome): welcome.write(to: &writer)
        case .refused(let refusal): refusal.write(to: &writer)
        case .goodbye(let reason), .stop(let reason): writer.write(reason, limit: sentenceLimit)
        case .answer, .parameters, .assignment, .register, .pong: break
        }
        return writer.bytes
    }

    init(kind: MessageKind, payload: RawSpan) throws(DecodeError) {
        // The pieces of streams stay where they are: a reader would copy them.
        var reader = ByteReader(kind.isStream ? payload.extracting(first: 0) : payload)
        switch kind {
        case .answer: self = .answer
        case .parameters: self = .parameters
        case .assignment: self = .assignment
        case .hello: self = .hello(try Hello(from: &reader))
        case .pull: self = .pull(try WorkerStatus(from: &reader))
        case .goodbye: self = .goodbye(reason: try reader.readText(limit: sentenceLimit))
        case .ping: self = .ping(try WorkerStatus(from: &reader))
        case .welcome: self = .welcome(try Welcome(from: &reader))
        case .refused: self = .refused(try Refusal(from: &reader))
        case .register: self = .register
        case .pong: self = .pong
        case .stop: self = .stop(reason: try reader.readText(limit: sentenceLimit))
        }
        try reader.finish()
    }
}
