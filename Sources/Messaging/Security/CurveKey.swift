internal import CZeroMQ

/// The public half of a pair of CurveZMQ keys: 32 bytes, written as 40 characters of Z85.
package struct CurvePublicKey: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// - Returns: `nil` for what is no key.
    package init?(_ text: String) {
        guard CurveText.bytes(of: text) != nil else { return nil }
        self.text = text
    }

    /// A key as the handshake hands it over.
    init?(bytes: [UInt8]) {
        guard bytes.count == CurveText.byteCount else { return nil }
        let text = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: CurveText.length + 1) { text in
            unsafe zmq_z85_encode(text.baseAddress!, bytes, bytes.count).map { unsafe String(cString: $0) }
        }
        guard let text else { return nil }
        self.text = text
    }

    package var description: String { text }
}

/// A pair of CurveZMQ keys. Whoever has the secret one is who the public one names.
package struct CurvePair: Sendable, CustomStringConvertible {
    package let publicKey: CurvePublicKey
    /// Z85; printed nowhere but into its file.
    package let secretText: String

    /// The pair that a secret key belongs to.
    ///
    /// - Returns: `nil` for what is no key.
    package init?(secretText: String) {
        guard CurveText.bytes(of: secretText) != nil else { return nil }
        let text = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: CurveText.length + 1) { text in
            unsafe zmq_curve_public(text.baseAddress!, secretText) == 0
                ? unsafe String(cString: text.baseAddress!) : nil
        }
        guard let text, let publicKey = CurvePublicKey(text) else { return nil }
        self.publicKey = publicKey
        self.secretText = secretText
    }

    /// A new pair, from the system's randomness.
    package static func generate() throws(MessagingError) -> CurvePair {
        try requireCurve()
        var publicText = [CChar](repeating: 0, count: CurveText.length + 1)
        var secretText = publicText
        guard unsafe zmq_curve_keypair(&publicText, &secretText) == 0 else {
            throw MessagingError(.configure, "a new pair of keys", code: zmq_errno())
        }
        let secret = String(decoding: secretText.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let pair = CurvePair(secretText: secret) else {
            throw MessagingError(.configure, "a new pair of keys", code: EINVAL)
        }
        return pair
    }

    /// Refuses a libzmq that was built without encryption.
    package static func requireCurve() throws(MessagingError) {
        guard unsafe zmq_has("curve") == 1 else {
            throw MessagingError(
                code: EOPNOTSUPP, operation: .configure,
                message: "keys: this libzmq was built without CURVE; expected one with libsodium")
        }
    }

    package var description: String { "the pair of \(publicKey)" }
}

/// Z85 text of one key.
enum CurveText {
    static let length = 40
    static let byteCount = 32

    /// - Returns: `nil` unless the text is 40 characters of Z85 that make up 32 bytes.
    static func bytes(of text: String) -> [UInt8]? {
        guard text.utf8.count == length, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        var bytes = [UInt8](repeating: 0, count: byteCount)
        return unsafe zmq_z85_decode(&bytes, text) == nil ? nil : bytes
    }
}
