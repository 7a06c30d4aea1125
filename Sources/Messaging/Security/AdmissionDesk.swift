/// Answers libzmq's question for each connection to a server socket of the context: may this key come in?
///
/// Follows ZAP 1.0 (rfc.zeromq.org/spec/27). One a context, opened before any server socket binds, on a thread of its own: the
/// handshakes of all peers wait for it.
package struct AdmissionDesk: ~Copyable {
    private let socket: Socket

    package init(in context: Context) throws(MessagingError) {
        let socket = try Socket(.router, in: context, options: .control())
        _ = try socket.bind(Endpoint("inproc://zeromq.zap.01"))
        self.socket = socket
    }

    /// Answers one question, if one comes in time.
    ///
    /// A question that is not of this form gets no answer: its peer's handshake runs out of time.
    ///
    /// - Parameter admit: whether the owner of this key may come in. Its messages then carry the key as their user.
    /// - Returns: what was decided; `nil` when nobody asked, or asked in no way that is known.
    package borrowing func answer(
        within duration: Duration, admit: (CurvePublicKey) -> Bool
    ) throws(MessagingError) -> Decision? {
        guard case .message(let question)? = try socket.receive(within: duration, maximumFrames: 16),
            let sender = question.sender, let request = AdmissionRequest(question.frames.map(\.bytes))
        else { return nil }
        let key = request.key
        let isAdmitted = key.map(admit) ?? false
        let reply = request.reply(isAdmitted: isAdmitted)
        _ = try socket.send(reply.map { .bytes($0) }, to: sender)
        return Decision(key: key, isAdmitted: isAdmitted)
    }

    package struct Decision: Hashable, Sendable {
        /// `nil` for a peer without one.
        package let key: CurvePublicKey?
        package let isAdmitted: Bool
    }
}

/// One question of libzmq's: an empty frame, version, request, domain, address, identity, mechanism, credentials.
struct AdmissionRequest {
    private let request: [UInt8]
    /// What the peer proved to have; `nil` for a mechanism without keys.
    let key: CurvePublicKey?

    init?(_ frames: [[UInt8]]) {
        guard frames.count >= 7, frames[0].isEmpty, frames[1] == Array("1.0".utf8) else { return nil }
        request = frames[2]
        key =
            frames[6] == Array("CURVE".utf8) && frames.count == 8 ? CurvePublicKey(bytes: frames[7]) : nil
    }

    /// An empty frame, version, request, status, words, user, metadata.
    func reply(isAdmitted: Bool) -> [[UInt8]] {
        [
            [], Array("1.0".utf8), request, Array((isAdmitted ? "200" : "400").utf8),
            Array((isAdmitted ? "OK" : "this key is not admitted").utf8),
            isAdmitted ? Array((key?.text ?? "").utf8) : [], [],
        ]
    }
}
