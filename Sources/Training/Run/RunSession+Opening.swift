internal import Coordination
package import Sequences

extension RunSession {
    /// Makes a new run in a directory that is empty or not there yet.
    ///
    /// - Parameter initial: where its first parameters come from; nil for those of the seed.
    /// - Throws: `ConfigurationError` when the initial parameters are not of such a model; nothing is made then.
    package static func begin(
        at path: String, configuration: RunConfiguration, source: any SequenceSource,
        initial: InitialParameters? = nil, observer: any ProgressObserver, threads: Int
    ) throws -> RunSession {
        var random = SystemRandomNumberGenerator()
        var record = RunRecord(
            runID: RunID.random(using: &random).description, configuration: configuration, source: source)
        record.initialParameters = initial
        let trainer = Trainer(configuration, source: source)
        try initial?.load(into: trainer.computer.model)
        let held = try RunDirectory.create(at: path, configuration: record)
        let session = try RunSession(
            trainer: trainer, record: record, held: held, resumption: try held.resume(), state: nil,
            observer: observer, threads: threads)
        if initial != nil { try session.saveBeginning() }
        return session
    }

    /// Goes on with a run from its newest checkpoint that verifies.
    ///
    /// - Throws: `ConfigurationError` when data or settings are not what the run began with.
    package static func resume(
        at path: String, observer: any ProgressObserver, threads: Int
    ) throws -> RunSession {
        let directory = try RunDirectory(path)
        let record = try RunRecord(reading: directory, for: .training)
        let source = try record.openSource(of: path)
        let held = try directory.hold()
        let resumption = try held.resume(accepting: { checkpoint throws(RunError) in
            // Before the ledger is cut to it.
            try record.requireSettings(of: checkpoint, path: path)
        })
        let trainer = Trainer(record.configuration, source: source)
        var state: SessionState?
        if let checkpoint = resumption.checkpoint {
            try trainer.restore(checkpoint)
            state = try SessionState.read(checkpoint)
        } else {
            try record.initialParameters?.load(into: trainer.computer.model)
        }
        let session = try RunSession(
            trainer: trainer, record: record, held: held, resumption: resumption, state: state, observer: observer,
            threads: threads)
        if resumption.checkpoint == nil, record.initialParameters != nil { try session.saveBeginning() }
        return session
    }

    /// Keeps the parameters that the run was given: it can then be computed again when their file is gone.
    private func saveBeginning() throws {
        try held.writeCheckpoint(
            checkpointFiles(), step: 0, ledgerHead: String(decoding: LedgerLine.noHash, as: UTF8.self),
            keep: record.configuration.checkpointsKept, validationLoss: nil)
    }
}

extension SessionState {
    /// Nil in a checkpoint of an earlier version.
    static func read(_ checkpoint: Checkpoint) throws(RunError) -> SessionState? {
        checkpoint.fileNames.contains(fileName) ? try checkpoint.json(fileName) : nil
    }
}

extension RunRecord {
    /// Refuses to go on with other settings than a checkpoint was made with.
    ///
    /// - Throws: `RunError.changed`, which names what has changed.
    fileprivate func requireSettings(of checkpoint: Checkpoint, path: String) throws(RunError) {
        guard let before = try SessionState.read(checkpoint)?.record else { return }
        let changes = try before.differences(from: self)
        guard changes.isEmpty else {
            throw RunError(
                .changed,
                "\(path)/run.json: changed since step \(checkpoint.step): \(changes.joined(separator: "; ")); expected the settings that the run began with (train --init-from begins a new run from its parameters)"
            )
        }
    }
}
