internal import Interchange

/// How far a validation has come that is not over: the file `validation.json`, which whoever makes up for it goes on from.
///
/// It is written every two seconds and when the validation is left off. Whoever has the same parameters may go on from it: whoever has
/// come to the same line of the ledger.
struct ValidationProgress: Codable, Equatable {
    static let fileName = "validation.json"

    let step: UInt64
    /// Hash of the ledger's line of that step.
    let ledgerHead: String
    let sums: ValidationSums
    /// SHA-256 over all of it, in the words of `sealedText`.
    let seal: String

    private enum CodingKeys: String, CodingKey {
        case step, sums, seal
        case ledgerHead = "ledger_head"
    }

    init(step: UInt64, ledgerHead: String, sums: ValidationSums) {
        self.step = step
        self.ledgerHead = ledgerHead
        self.sums = sums
        seal = Self.seal(step, ledgerHead, sums)
    }

    private static func seal(_ step: UInt64, _ ledgerHead: String, _ sums: ValidationSums) -> String {
        let text =
            "validation\nstep \(step)\nledger \(ledgerHead)\nbatches \(sums.batches)\nloss \(sums.loss.bitPattern)\n"
            + "tokens \(sums.tokens)\nexact \(sums.exact)\nsequences \(sums.sequences)\n"
        var sha = SHA256Hex()
        unsafe sha.absorb(Array(text.utf8).span.bytes)
        return sha.hexadecimal()
    }

    /// Reads that of a run; nil when there is none.
    ///
    /// - Throws: `RunError.damaged` when it is not as it was written.
    static func read(in run: String) throws(RunError) -> ValidationProgress? {
        let path = "\(run)/\(fileName)"
        guard FileSystem.kind(of: path) != nil else { return nil }
        let bytes = try RunError.reading { () throws(FileFailure) in
            try InputFile.contents(of: path, limit: 1 << 16, followsLinks: false)
        }
        let progress = try JSONText.decode(ValidationProgress.self, from: bytes, path: path)
        guard progress.seal == seal(progress.step, progress.ledgerHead, progress.sums) else {
            throw RunError(.damaged, "\(path): not what its seal was made from; expected it as the run wrote it")
        }
        return progress
    }
}

extension HeldRun {
    func keep(_ progress: ValidationProgress) throws(RunError) {
        try requirePlace()
        try FileSystem.writeAtomically(
            try JSONText.encode(progress, .pretty, as: ValidationProgress.fileName), to: ValidationProgress.fileName,
            in: directory.path)
    }

    /// How far the validation of a step has come before; one of another step, or one that is damaged, is of no use and goes.
    ///
    /// - Parameters:
    ///   - limit: how many batches there are.
    ///   - note: takes a sentence about one that is damaged.
    func keptValidation(
        of step: UInt64, _ ledgerHead: String, upTo limit: Int, note: (String) -> Void
    ) throws(RunError) -> ValidationSums? {
        do throws(RunError) {
            guard let progress = try ValidationProgress.read(in: directory.path) else { return nil }
            if progress.step == step, progress.ledgerHead == ledgerHead, (0...limit).contains(progress.sums.batches) {
                return progress.sums
            }
        } catch {
            if error.isPassing { throw error }
            note("\(error); removed, and the validation of step \(step) begins anew")
        }
        try forgetValidation()
        return nil
    }

    /// Removes what a validation was to be gone on from, which is over.
    func forgetValidation() throws(RunError) {
        try FileSystem.remove("\(directory.path)/\(ValidationProgress.fileName)")
    }
}
