/// `origin.json`: what a run began with, taken down before its first step.
///
/// `run.json` lies open to be read, and is edited now and then. The ledger's first line follows from a hash of the settings and the
/// data, and this file says which they were: what has been changed since can be named, however early it was.
struct RunOrigin: Codable {
    static let fileName = "origin.json"

    let record: RunRecord
    /// What the ledger's first line follows from.
    let ledgerOrigin: String
    /// SHA-256 over the two.
    let seal: String

    private enum CodingKeys: String, CodingKey {
        case record, seal
        case ledgerOrigin = "ledger_origin"
    }

    init(_ record: RunRecord) throws(RunError) {
        self.record = record
        ledgerOrigin = String(decoding: try record.ledgerOrigin(), as: UTF8.self)
        seal = try Self.seal(record, ledgerOrigin)
    }

    /// What is to be said of a `run.json` that cannot be read, after a semicolon, where its settings are not lost.
    static func remedy(in run: String) -> String {
        guard FileSystem.kind(of: "\(run)/\(fileName)") == .file else { return "" }
        return "; \(fileName) has it as it was when the run began, as its member `record`: put that in its place"
    }

    /// Reads what a run began with.
    ///
    /// - Throws: `RunError.damaged` when it is not as it was written.
    fileprivate static func read(_ directory: RunDirectory, _ file: String) throws(RunError) -> RunOrigin {
        let hasLine = try RunRecord.firstLine(of: directory) != nil
        let remedy =
            hasLine
            ? "; moved away, run.json is held against the ledger alone"
            : "; moved away, run.json is held against the settings in the checkpoints alone: the ledger has no first line either"
        let origin: RunOrigin
        do { origin = try directory.read(fileName) } catch {
            throw RunError(error.code, error.message + remedy, cause: error.cause)
        }
        guard try origin.holds() else {
            throw RunError(
                .damaged, "\(file): not what its seal was made from; expected it as the run wrote it\(remedy)")
        }
        return origin
    }

    /// Whether it is as it was written.
    func holds() throws(RunError) -> Bool { try seal == Self.seal(record, ledgerOrigin) }

    private static func seal(_ record: RunRecord, _ ledgerOrigin: String) throws(RunError) -> String {
        let text = try JSONText.encode(record, .oneLine, as: fileName) + Array(ledgerOrigin.utf8)
        return hash(text)
    }

    fileprivate static func hash(_ text: [UInt8]) -> String {
        var sha = SHA256Hex()
        unsafe sha.absorb(text.span.bytes)
        return sha.hexadecimal()
    }
}

extension RunRecord {
    /// A hash of the settings and the data, in hexadecimal: what the ledger's first line follows from.
    ///
    /// Names and places are left out, so that equal runs have equal ledgers wherever they lie.
    func ledgerOrigin() throws(RunError) -> [UInt8] {
        struct Beginning: Encodable {
            var configuration: RunConfiguration
            let data: String
            let parameters: String?
        }
        var beginning = Beginning(
            configuration: configuration, data: dataSHA256, parameters: initialParameters?.sha256)
        if case .text(_, let mode) = configuration.data { beginning.configuration.data = .text(path: "", mode: mode) }
        return Array(RunOrigin.hash(try JSONText.encode(beginning, .oneLine, as: RunOrigin.fileName)).utf8)
    }

    /// Holds the record against what the run began with.
    ///
    /// - Returns: what the ledger's first line follows from; nil when nothing says so, as in a run of an earlier version.
    /// - Throws: `RunError.changed`, which names what has changed; `RunError.damaged` when `origin.json` is.
    func checkedOrigin(in directory: RunDirectory) throws(RunError) -> [UInt8]? {
        let file = "\(directory.path)/\(RunOrigin.fileName)"
        guard FileSystem.kind(of: file) != nil else { return try originOfLedger(in: directory, missing: file) }
        let origin = try RunOrigin.read(directory, file)
        let changes = try origin.record.differences(from: self, withNames: true)
        guard changes.isEmpty else {
            throw RunError(
                .changed,
                "\(directory.path)/run.json: changed since the run began: \(changes.joined(separator: "; ")); expected the settings that it began with (train --init-from begins a new run from given parameters)"
            )
        }
        return Array(origin.ledgerOrigin.utf8)
    }

    /// What the ledger's first line is to follow from where neither `origin.json` nor that line says so.
    ///
    /// - Returns: what follows from the record, and a sentence about what that rests on; of a run of an earlier version, whose first line
    ///   follows from nothing, that and no sentence.
    func presumedOrigin(in directory: RunDirectory) throws(RunError) -> (hash: [UInt8], sentence: String?) {
        if try Self.firstLine(of: directory) != nil { return (LedgerLine.noHash, nil) }
        return (
            try ledgerOrigin(),
            "\(directory.path)/\(RunOrigin.fileName): missing, and so is the ledger's first line: that run.json has the settings and the data that the run began with is known only as far as its checkpoints bear them out"
        )
    }

    /// The ledger's line of step 1; nil when it is lost or damaged.
    fileprivate static func firstLine(of directory: RunDirectory) throws(RunError) -> LedgerLine? {
        guard FileSystem.kind(of: directory.ledgerPath) != nil else { return nil }
        var cursor = try LedgerCursor(path: directory.ledgerPath)
        guard case .line(let line, _)? = try cursor.next(), line.entry.step == 1 else { return nil }
        return line
    }

    /// What `checkedOrigin(in:)` returns where only the ledger is left to tell.
    private func originOfLedger(in directory: RunDirectory, missing file: String) throws(RunError) -> [UInt8]? {
        guard let line = try Self.firstLine(of: directory), line.previous != LedgerLine.noHash else { return nil }
        let own = try ledgerOrigin()
        guard line.previous == own else {
            throw RunError(
                .changed,
                "\(directory.path)/run.json: not the settings or the data that the ledger begins from; \(file), which says what they were, is missing; expected both as the run began"
            )
        }
        return own
    }
}
