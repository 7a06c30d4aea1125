internal import Interchange

/// `manifest.json`: what a checkpoint holds, written last. Whatever it does not vouch for does not count.
struct CheckpointManifest: Codable, Sendable, Equatable {
    struct Record: Codable, Sendable, Equatable {
        let bytes: Int
        let sha256: String
    }

    static let name = "manifest.json"
    static let currentFormat = 1

    let format: Int
    let step: UInt64
    /// Hash of the ledger's line of that step.
    let ledgerHead: String
    /// Of the parameters in it, where the step was validated.
    let validationLoss: Double?
    /// By file name.
    let files: [String: Record]
    /// SHA-256 over everything above, in the words of `sealedText`.
    let seal: String

    enum CodingKeys: String, CodingKey {
        case format, step, files, seal
        case ledgerHead = "ledger_head"
        case validationLoss = "validation_loss"
    }

    init(step: UInt64, ledgerHead: String, validationLoss: Double? = nil, files: [String: Record]) {
        format = Self.currentFormat
        self.step = step
        self.ledgerHead = ledgerHead
        self.validationLoss = validationLoss
        self.files = files
        seal = Self.seal(
            format: format, step: step, ledgerHead: ledgerHead, validationLoss: validationLoss, files: files)
    }

    /// Reads the manifest of the checkpoint in `path`; its files are not looked at.
    static func read(in path: String) throws(RunError) -> CheckpointManifest {
        let manifestPath = "\(path)/\(name)"
        let bytes = try RunError.reading { () throws(FileFailure) in
            try InputFile.contents(of: manifestPath, limit: 1 << 20, followsLinks: false)
        }
        do { return try JSONText.decode(CheckpointManifest.self, from: bytes, path: manifestPath) } catch {
            // Without its last newline alone it is whole: what it says is sealed.
            guard !bytes.isEmpty, bytes.last != UInt8(ascii: "\n") else { throw error }
            throw RunError(.damaged, "\(manifestPath): cut short", cause: error)
        }
    }

    /// What is wrong with the manifest by itself, as the end of a sentence; nil when nothing is.
    func objection(step: UInt64) -> String? {
        if format != Self.currentFormat { return "format \(format); this version reads \(Self.currentFormat)" }
        if self.step != step { return "it is of step \(self.step), not \(step)" }
        if let name = files.keys.first(where: { !Self.isFileName($0) }) {
            return "\(name.json) is not the name of a file"
        }
        if ledgerHead.utf8.count != LedgerLine.noHash.count { return "`ledger_head` is not the hash of a line" }
        if seal
            != Self.seal(
                format: format, step: step, ledgerHead: ledgerHead, validationLoss: validationLoss, files: files)
        {
            return "it is not what its seal was made from"
        }
        return nil
    }

    /// One plain name, so that no manifest leads out of its directory.
    static func isFileName(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix(".") && name != Self.name
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
    }

    private static func seal(
        format: Int, step: UInt64, ledgerHead: String, validationLoss: Double?, files: [String: Record]
    ) -> String {
        var text = "checkpoint \(format)\nstep \(step)\nledger \(ledgerHead)\n"
        if let validationLoss { text += "validation \(validationLoss.bitPattern)\n" }
        for (name, record) in files.sorted(by: { $0.key.precedesByBytes($1.key) }) {
            text += "\(record.sha256) \(record.bytes) \(name.json)\n"
        }
        var sha = SHA256Hex()
        unsafe sha.absorb(Array(text.utf8).span.bytes)
        return sha.hexadecimal()
    }
}
