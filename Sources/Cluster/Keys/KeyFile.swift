internal import Foundation
internal import Messaging

/// The text of a key file: a certificate as czmq's `zcert` and pyzmq's `zmq.auth` write and read it, keys in Z85.
enum KeyFile {
    static func publicText(_ key: CurvePublicKey, of owner: String) -> String {
        text("Public key of \(owner).", [("public-key", key.text)])
    }

    static func secretText(_ pair: CurvePair, of owner: String) -> String {
        text(
            "Secret key of \(owner): whoever reads this file can take part in its name.",
            [("public-key", pair.publicKey.text), ("secret-key", pair.secretText)])
    }

    static func readPublic(_ name: String, in place: KeyPlace) throws(ClusterError) -> CurvePublicKey {
        let text = try place.read(name, isSecret: false)
        guard let key = value("public-key", in: text).flatMap(CurvePublicKey.init) else {
            throw ClusterError(
                exitCode: 2, "key file \(place.path)/\(name): no public-key of 40 characters of Z85 in it")
        }
        return key
    }

    static func readPair(_ name: String, in place: KeyPlace) throws(ClusterError) -> CurvePair {
        let path = "\(place.path)/\(name)"
        let text = try place.read(name, isSecret: true)
        guard let pair = value("secret-key", in: text).flatMap(CurvePair.init(secretText:)) else {
            throw ClusterError(exitCode: 2, "key file \(path): no secret-key of 40 characters of Z85 in it")
        }
        if let stated = value("public-key", in: text), stated != pair.publicKey.text {
            throw ClusterError(exitCode: 2, "key file \(path): its two keys are not a pair")
        }
        return pair
    }

    private static func text(_ comment: String, _ values: [(name: String, value: String)]) -> String {
        "#   Lockstep, ZeroMQ CURVE certificate. \(comment)\n\nmetadata\n\ncurve\n"
            + values.map { "    \($0.name) = \"\($0.value)\"\n" }.joined()
    }

    /// What stands in quotes behind `name =`, on the one line that begins so.
    private static func value(_ name: String, in text: String) -> String? {
        for line in text.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            guard line[..<equals].trimmingCharacters(in: .whitespaces) == name else { continue }
            let value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            guard value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") else { return nil }
            return String(value.dropFirst().dropLast())
        }
        return nil
    }
}
