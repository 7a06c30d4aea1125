internal import Interchange

/// A run on disk, for reading; `hold()` makes it this process's to write.
///
/// ```
/// run.json          the resolved configuration
/// origin.json       the same as it was when the run began, sealed
/// ledger.jsonl      one line a step, hash-chained
/// metrics.jsonl     one line a record
/// checkpoints/step-00001000/{parameters,optimizer}.safetensors, manifest.json
/// latest            the step of the newest checkpoint
/// summary.json      written at the end
/// workers.jsonl     what each holder has counted of its workers, where there were any
/// lock, incarnation who holds the run, and how many did before
/// ```
package struct RunDirectory: Sendable, Equatable {
    static let configurationName = "run.json"
    static let summaryName = "summary.json"
    /// What is there once a run has been held, beside what says who holds it.
    static let grownNames = ["ledger.jsonl", "metrics.jsonl", "checkpoints", "latest", WorkerLog.fileName, summaryName]

    package let path: String

    /// Opens a run.
    ///
    /// - Throws: `RunError.notARun` when there is none, or the beginning of one.
    package init(_ path: String) throws(RunError) {
        guard !path.isEmpty else { throw RunError(.notARun, "run '': expected the directory of a run") }
        guard let kind = try FileSystem.foundKind(of: path, followsLinks: true) else {
            let isLink = FileSystem.kind(of: path) == .link
            throw RunError(
                .notARun,
                "\(path): \(isLink ? "a symbolic link that leads nowhere" : "there is no such run"); expected the directory of one"
            )
        }
        guard kind == .directory else {
            throw RunError(.notARun, "\(path): not a directory; expected the directory of a run")
        }
        let file = "\(path)/\(Self.configurationName)"
        let found: FileSystem.Kind?
        do { found = try FileSystem.foundKind(of: file) } catch {
            throw RunError(
                error.code, "\(error.message); expected the directory of a run that this user may read",
                cause: error.cause)
        }
        guard let found else {
            throw RunError(
                .notARun,
                "\(path): not a run: \(Self.configurationName), which is written first, is missing\(RunOrigin.remedy(in: path))"
            )
        }
        guard found == .file else {
            throw RunError(
                .notARun,
                "\(path): not a run: \(Self.configurationName) is \(FileSystem.description(of: found, at: file)); expected a regular file\(RunOrigin.remedy(in: path))"
            )
        }
        self.path = path
    }

    private init(created path: String) { self.path = path }

    /// Makes a new run and holds it.
    ///
    /// - Parameters:
    ///   - path: a directory that is empty or not there yet.
    ///   - configuration: what `run.json` is to hold.
    /// - Throws: `RunError.exists` when something is there, `RunError.held` when another process trains it; nothing of it is touched.
    package static func create(at path: String, configuration: some Encodable) throws(RunError) -> HeldRun {
        let isNew = try FreshDirectory.make(path)
        do {
            try refuseIfOccupied(path)
            try FileSystem.requireWritable(path, .directory)
            let lock = try RunLock(run: path)
            // Once more: another process may have made its run between the look and the lock.
            try refuseIfOccupied(path)
            CrashPoint.reached(.runLocked, step: 0)
            let bytes = try JSONText.encode(configuration, .pretty, as: configurationName)
            try FileSystem.writeAtomically(bytes, to: configurationName, in: path)
            try FileSystem.synchronizeDirectory(FileSystem.parent(of: path))
            return try HeldRun(RunDirectory(created: path), lock, isNew: true)
        } catch {
            if isNew, error.code != .held, error.code != .exists { try? FileSystem.remove(path) }
            throw error
        }
    }

    private static func refuseIfOccupied(_ path: String) throws(RunError) {
        let names = try FileSystem.names(in: path)
        if names.contains(configurationName) {
            try RunLock.requireFree(path)
            throw RunError(
                .exists,
                "\(path): holds a run; `lockstep resume \(path.shellWord)` goes on with it, another --run begins a new one"
            )
        }
        let foreign = names.filter { $0 != RunLock.fileName && !$0.hasPrefix(FileSystem.temporaryPrefix) }
        if let first = foreign.first {
            throw RunError(
                .exists, "\(path): holds \(first.json) and no run; expected a directory that is empty or not there yet")
        }
    }

    /// Reads `run.json`.
    package func configuration<Configuration: Decodable>(
        as _: Configuration.Type = Configuration.self
    ) throws(RunError) -> Configuration { try read(Self.configurationName) }

    /// The summary of a run that ended; nil before.
    package func summary() throws(RunError) -> RunSummary? {
        FileSystem.kind(of: "\(path)/\(Self.summaryName)") == nil ? nil : try read(Self.summaryName)
    }

    /// The newest checkpoint that verifies, with a sentence about each that was skipped for it.
    ///
    /// - Parameter runSteps: how many steps the run is to have; a checkpoint of a later one is skipped.
    /// - Returns: a nil checkpoint when the run has none yet.
    /// - Throws: `RunError.damaged` when there are some and none verifies.
    package func newestCheckpoint(
        of runSteps: UInt64 = RunConfiguration.stepLimit - 1
    ) throws(RunError) -> (checkpoint: Checkpoint?, skipped: [String]) {
        try CheckpointStore(run: path).newest(of: runSteps)
    }

    /// Steps that have a checkpoint, verified or not, newest first.
    package func checkpointSteps() throws(RunError) -> [UInt64] { try CheckpointStore(run: path).steps() }

    /// The checkpoint of one step, verified.
    package func checkpoint(step: UInt64) throws(RunError) -> Checkpoint {
        try CheckpointStore(run: path).verified(step)
    }

    /// Reads the ledger from its first line up to the first that does not verify.
    package func readLedger(
        _ body: (LedgerEntry) throws(RunError) -> Void = { _ in }
    ) throws(RunError) -> LedgerReading {
        try LedgerReading.read(path: ledgerPath) { entry throws(RunError) in
            try body(entry)
            return true
        }
    }

    /// Makes this process the one that writes the run.
    ///
    /// - Throws: `RunError.held` when another process is that.
    package func hold() throws(RunError) -> HeldRun {
        try requireFiles()
        return try HeldRun(self, RunLock(run: path), isNew: false)
    }

    /// Asks whether another process trains the run; changes nothing of it.
    ///
    /// - Throws: `RunError.held`, naming the process.
    package func requireNotHeld() throws(RunError) { try RunLock.requireFree(path) }

    /// Refuses a run in which a directory, a link or a pipe lies where a file is to be written.
    func requireRegularFiles() throws(RunError) {
        let files = [
            Self.configurationName, Self.summaryName, RunOrigin.fileName, "ledger.jsonl", "metrics.jsonl", "latest",
            WorkerLog.fileName, IncarnationLine.fileName, RunLock.fileName, ValidationProgress.fileName,
        ]
        try requireRegular(files)
    }

    /// Refuses a run that this process cannot write, before anything is written.
    private func requireFiles() throws(RunError) {
        try requireRegularFiles()
        // What the run goes on in, and where names are made.
        for name in [RunLock.fileName, "ledger.jsonl", "metrics.jsonl", WorkerLog.fileName] {
            try FileSystem.requireWritable("\(path)/\(name)", .file)
        }
        for place in [path, "\(path)/checkpoints"] { try FileSystem.requireWritable(place, .directory) }
    }

    /// Refuses a directory, a link or a pipe in the place of a file that speaks of a run's steps beside the ledger, for whoever only reads:
    /// what a link leads to is not the run's.
    func requireRegularClaims() throws(RunError) {
        try requireRegular([Self.summaryName, "metrics.jsonl", "latest", ValidationProgress.fileName])
    }

    private func requireRegular(_ names: [String]) throws(RunError) {
        for name in names {
            let file = "\(path)/\(name)"
            guard let kind = try FileSystem.foundKind(of: file), kind != .file else { continue }
            throw RunError(
                .damaged,
                "\(file): not a regular file but \(FileSystem.description(of: kind, at: file)); expected one, as the run has it, or nothing"
            )
        }
    }

    var ledgerPath: String { "\(path)/ledger.jsonl" }
    var metricsPath: String { "\(path)/metrics.jsonl" }

    func read<Value: Decodable>(_ name: String) throws(RunError) -> Value {
        let file = "\(path)/\(name)"
        let bytes = try RunError.reading { () throws(FileFailure) in
            try InputFile.contents(of: file, limit: 1 << 26, followsLinks: false)
        }
        return try JSONText.decode(Value.self, from: bytes, path: file)
    }
}
