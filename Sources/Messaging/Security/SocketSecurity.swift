internal import CZeroMQ

/// How the connections of a socket are encrypted, and who the ends are.
package enum SocketSecurity: Sendable {
    /// The end that binds. It admits whom the context's `AdmissionDesk` admits; without one libzmq 4.3.4 admits every key, so the desk
    /// opens first, and a message without a user is nobody's.
    case server(CurvePair)
    /// The end that connects, and the only server that it will talk to.
    case client(CurvePair, server: CurvePublicKey)

    func apply(to handle: SocketHandle) throws(MessagingError) {
        func set(_ option: Int32, _ text: String, _ name: String) throws(MessagingError) {
            let bytes = Array(text.utf8)
            let result = unsafe zmqshim_set_bytes(try handle.pointer(.configure), option, bytes, bytes.count)
            try MessagingError.check(result, .configure, "a \(handle.kind) socket, \(name)")
        }
        try CurvePair.requireCurve()
        switch self {
        case .server(let pair):
            let result = unsafe zmqshim_set_int(try handle.pointer(.configure), ZMQ_CURVE_SERVER, 1)
            try MessagingError.check(result, .configure, "a \(handle.kind) socket, as a server with keys")
            try set(ZMQ_CURVE_SECRETKEY, pair.secretText, "secret key")
            try set(ZMQ_ZAP_DOMAIN, "lockstep", "domain of admission")
        case .client(let pair, let server):
            try set(ZMQ_CURVE_SERVERKEY, server.text, "server's key")
            try set(ZMQ_CURVE_PUBLICKEY, pair.publicKey.text, "public key")
            try set(ZMQ_CURVE_SECRETKEY, pair.secretText, "secret key")
        }
    }
}
