internal import Coordination
internal import Interchange
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
        let beginning = try record.ledgerOrigin()
        try held.writeOrigin(try RunOrigin(record))
        let session = try RunSession(
            trainer: trainer, record: record, held: held, resumption: try held.resume(from: beginning), state: nil,
            observer: observer, threads: threads)
        if initial != nil { try session.saveBeginning(from: beginning) }
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
        // Before the ledger is asked what the run began from.
        try directory.requireRegularFiles()
        _ = try record.checkedOrigin(in: directory)
        let source = try record.openSource(of: path)
        let held = try directory.hold()
        var beginning = try record.checkedOrigin(in: directory)
        // A run of an earlier version that begins again begins as one of this.
        if beginning == nil, try directory.checkpointSteps().isEmpty { beginning = try record.ledgerOrigin() }
        let presumed = beginning == nil ? try record.presumedOrigin(in: directory) : nil
        let resumption = try held.resume(
            from: beginning ?? presumed?.hash ?? LedgerLine.noHash, runSteps: record.configuration.steps,
            refusing: record.objection(to:),
            accepting: { checkpoint throws(RunError) in
                // Before the ledger is cut to it.
                try record.requireSettings(of: checkpoint, path: path)
                try SessionState.requirePending(of: checkpoint)
            })
        if beginning != nil { try held.restoreOrigin(record, observer) }
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
        if let sentence = presumed?.sentence { observer.note(sentence) }
        session.noteMissingRecords(resumption)
        if resumption.checkpoint == nil, record.initialParameters != nil {
            try session.saveBeginning(from: beginning ?? presumed?.hash ?? LedgerLine.noHash)
        }
        return session
    }

    /// What a run came to that is done, from its directory alone, where this process may not write to it.
    ///
    /// - Returns: nil where something is left to be trained, or to be put in order.
    package static func summary(ofDone path: String) throws -> RunSummary? {
        let directory = try RunDirectory(path)
        let record = try RunRecord(reading: directory, for: .reading)
        _ = try record.checkedOrigin(in: directory)
        let ledger = try directory.readLedger()
        guard ledger.fault == nil, ledger.tornBytes == 0, ledger.steps == record.configuration.steps,
            let summary = try directory.summary(), summary.steps == ledger.steps, summary.ledgerHead == ledger.head,
            let checkpoint = try directory.newestCheckpoint().checkpoint, checkpoint.step == ledger.steps,
            checkpoint.follows(Array(ledger.head.utf8)), let state = try SessionState.read(checkpoint),
            state.record.runID == record.runID, state.pending == nil,
            try parametersSHA256(TrainedRun(path: path).model.namedTensors) == summary.parametersSHA256
        else { return nil }
        return summary
    }

    /// Keeps the parameters that the run was given: it can then be computed again when their file is gone.
    private func saveBeginning(from beginning: [UInt8]) throws {
        try held.writeCheckpoint(
            checkpointFiles(), step: 0, ledgerHead: String(decoding: beginning, as: UTF8.self),
            keep: record.configuration.checkpointsKept, validationLoss: nil)
    }
}

extension HeldRun {
    /// Writes `origin.json` again when it is gone.
    fileprivate func restoreOrigin(_ record: RunRecord, _ observer: any ProgressObserver) throws(RunError) {
        let file = "\(directory.path)/\(RunOrigin.fileName)"
        guard FileSystem.kind(of: file) == nil else { return }
        try writeOrigin(try RunOrigin(record))
        observer.note("\(file): missing; written again from run.json, from which the ledger begins")
    }
}

extension SessionState {
    /// Nil in a checkpoint of an earlier version.
    static func read(_ checkpoint: Checkpoint) throws(RunError) -> SessionState? {
        checkpoint.fileNames.contains(fileName) ? try checkpoint.json(fileName) : nil
    }

    /// Refuses a validation to be made up for that is not of the checkpoint's step: its record would come in the wrong place.
    ///
    /// - Throws: `RunError.damaged`.
    static func requirePending(of checkpoint: Checkpoint) throws(RunError) {
        guard let pending = try read(checkpoint)?.pending, pending.step != checkpoint.step || pending.step == 0 else {
            return
        }
        let expected =
            checkpoint.step == 0 ? "none before the first step" : "step \(checkpoint.step), as the checkpoint is"
        throw RunError(
            .damaged, "\(checkpoint.path)/\(fileName): `pending` is of step \(pending.step); expected \(expected)")
    }
}

extension RunRecord {
    /// Why a checkpoint is of another run; nil when it is of this one or does not say.
    fileprivate func objection(to checkpoint: Checkpoint) -> String? {
        // One that cannot be read is no reason to look for an older one in silence.
        guard let before = try? SessionState.read(checkpoint), before.record.runID != runID else { return nil }
        return
            "\(checkpoint.path)/\(SessionState.fileName): of run \(String(before.record.runID.prefix(80)).json); expected \(runID.json), as run.json has it"
    }

    /// Refuses to go on with other settings than a checkpoint was made with.
    ///
    /// - Throws: `RunError.changed`, which names what has changed.
    fileprivate func requireSettings(of checkpoint: Checkpoint, path: String) throws(RunError) {
        guard let before = try SessionState.read(checkpoint)?.record else { return }
        let changes = try before.differences(from: self, withNames: true)
        guard changes.isEmpty else {
            throw RunError(
                .changed,
                "\(path)/run.json: changed since step \(checkpoint.step): \(changes.joined(separator: "; ")); expected the settings that the run began with (train --init-from begins a new run from its parameters)"
            )
        }
    }
}
