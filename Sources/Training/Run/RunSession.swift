internal import Foundation
internal import Interchange
internal import Sequences
internal import TensorCore
internal import Tracing

/// A run that is being trained: what is written after each step, validated now and then, and said in the end.
///
/// The mathematics is the trainer's and the gradients are computed wherever the caller lets them be; everything here happens
/// between two steps, but for the writing of checkpoints, which goes on beside them.
package final class RunSession {
    package let trainer: Trainer
    package let record: RunRecord
    package let held: HeldRun
    private let ledger: LedgerWriter
    private let metrics: MetricsWriter
    private let workers: WorkerLog
    let writer: CheckpointWriter
    let observer: any ProgressObserver
    /// Threads that validation may use.
    private let threads: Int
    private(set) var pace: Pace
    private var state: SessionState
    /// The step of the last checkpoint that was begun.
    private(set) var lastSaved: UInt64?
    /// A step whose checkpoint was due when the run was to stop, while the one before was still being written.
    private var unsaved: (step: UInt64, validationLoss: Double?)?
    private var cadence: CheckpointCadence
    private var firstStepMilliseconds: Double?

    init(
        trainer: Trainer, record: RunRecord, held: HeldRun, resumption: Resumption, state: SessionState?,
        observer: any ProgressObserver, threads: Int
    ) throws {
        self.trainer = trainer
        self.record = record
        self.held = held
        ledger = resumption.ledger
        metrics = resumption.metrics
        workers = try WorkerLog(run: held.directory.path, incarnation: held.incarnation)
        writer = CheckpointWriter(held, newest: resumption.checkpoint?.step)
        lastSaved = resumption.checkpoint?.step
        cadence = CheckpointCadence(
            after: trainer.step, lost: resumption.lostSteps, every: trainer.configuration.checkpointEvery)
        self.observer = observer
        self.threads = threads
        self.state = state ?? SessionState(record: record)
        pace = Pace(done: trainer.step, of: trainer.configuration.steps)
        for note in held.notes + resumption.notes { observer.note(note) }
    }

    // Whoever lets go of a session may take the run up again: nothing is being written then.
    deinit { try? writer.wait() }

    package var path: String { held.directory.path }

    /// Whether nothing is left to do: every step, and the validation of the last.
    package var isDone: Bool { trainer.isDone && state.pending == nil }

    /// Writes down what a step did.
    ///
    /// - Parameter counts: of this process's workers; nil in one that trains alone.
    /// - Returns: what takes long, when it is time for it: validation, and a checkpoint while the one before is still being written.
    ///   The next step begins after it.
    /// - Throws: what the checkpoint before has failed with, too.
    package func stepDone(_ report: StepReport, workers counts: WorkerCounts? = nil) throws -> FollowUp? {
        if let part = report.nonFinite {
            try writer.wait()
            throw diverged(report.step, part)
        }
        if firstStepMilliseconds == nil { firstStepMilliseconds = ProcessAge.milliseconds }
        let trained = pace.stepDone(tokens: trainer.configuration.batchSize * trainer.configuration.seqLen)
        state.lastLoss = report.loss
        try writer.check()
        let saves = trainer.isCheckpointStep
        // A finite gradient can still leave the range of numbers behind: no checkpoint is made of that.
        if saves, let part = trainer.computer.model.firstNonFinite {
            try writer.wait()
            throw diverged(report.step, part)
        }
        // One that nobody has asked for leaves no trace in the ledger, and keeps no step waiting.
        let savesBetween =
            !saves && cadence.isDue(after: report.step) && !writer.isBusy
            && trainer.computer.model.firstNonFinite == nil
        let hash = saves ? parametersSHA256(trainer.computer.model.namedTensors) : nil
        _ = try ledger.append(LedgerEntry(report, parametersSHA256: hash))
        if let counts { try workers.note(counts) }
        let configuration = trainer.configuration
        let validates = configuration.isValidationStep(report.step)
        var record = MetricsRecord(report)
        // Until it is done: a run that ends before that, however it does, has to make up for it.
        if validates { state.pending = record }
        func conclude(_ outcome: ValidationOutcome?, _ shouldStop: () -> Bool = { false }) throws {
            if outcome != .leftOff, configuration.isRecordedStep(report.step) {
                if outcome == .done { record.take(state.validation, state.score) }
                try metrics.append(record)
                state.pending = nil
            }
            if saves || savesBetween {
                // One that nobody has asked for is not among the best: which is kept as that is up to the settings alone.
                try save(validationLoss: saves && outcome == .done ? state.validation?.loss : nil, shouldStop)
            }
            observer.progressed(
                RunProgress(
                    step: report.step, steps: configuration.steps, loss: pace.smoothed(report.loss),
                    validationLoss: state.validation?.loss, score: state.score, tokensPerSecond: trained.recentRate,
                    timeLeft: trained.left, workers: counts?.live))
            pace.resume()
        }
        guard validates || (saves && writer.isBusy) else {
            try conclude(nil)
            return nil
        }
        return { shouldStop in try conclude(validates ? try self.validate(shouldStop) : nil, shouldStop) }
    }

    private func diverged(_ step: UInt64, _ part: String) -> DivergenceError {
        DivergenceError(
            step: step, part: part, checkpoint: lastSaved, path: path, configuration: trainer.configuration)
    }

    /// Work between two steps; asks now and then whether to leave off a validation.
    package typealias FollowUp = (_ shouldStop: @escaping @Sendable () -> Bool) throws -> Void

    /// Makes up for a validation that was left off when the run was stopped: comes before the first step.
    ///
    /// The checkpoint of its step is written once more, with what came of it, so that it counts among the best like any other.
    package func catchUp(_ shouldStop: @escaping @Sendable () -> Bool) throws {
        guard var record = state.pending else { return }
        let outcome = try validate(shouldStop)
        guard outcome != .leftOff else { return }
        state.pending = nil
        if outcome == .done {
            record.take(state.validation, state.score)
            try held.retractSummary(validated: record.step).forEach(observer.note)
        }
        // A process that died after this had come so far may have written the record.
        if metrics.step < record.step { try metrics.append(record) }
        lastSaved = nil
        try save(validationLoss: outcome == .done && trainer.isCheckpointStep ? state.validation?.loss : nil)
        pace.resume()
    }

    /// Says which records of metrics are gone for good: those of the steps before the checkpoint are not computed again.
    ///
    /// - Precondition: a validation that was left off is the checkpoint's, which is not of step 0.
    func noteMissingRecords(_ resumption: Resumption) {
        guard let checkpoint = resumption.checkpoint else { return }
        let last = state.pending == nil ? checkpoint.step : checkpoint.step - 1
        guard let missing = record.configuration.missingRecords(among: metrics.recorded, upTo: last) else { return }
        let all = missing.count == 1 ? "" : ", the first of \(missing.count) that are missing"
        let rest =
            trainer.isDone
            ? "that was before the checkpoint and is not computed again"
            : "records are written again from step \(checkpoint.step + 1), after the checkpoint"
        observer.note("\(held.directory.metricsPath): no record of step \(missing.first)\(all); \(rest)")
    }

    /// Begins to write a checkpoint of the state after the last step, unless there is one.
    ///
    /// - Parameters:
    ///   - validationLoss: of just these parameters.
    ///   - shouldStop: whether the run is to stop; what to do about the one before that is still being written is then for `finish`.
    func save(validationLoss: Double? = nil, _ shouldStop: () -> Bool = { false }) throws {
        guard lastSaved != trainer.step, trainer.step > 0 else { return }
        try requireFiles()
        while writer.isBusy, !shouldStop() { writer.wait(atMost: .milliseconds(50)) }
        guard !writer.isBusy else { return unsaved = (trainer.step, validationLoss) }
        let left = unsaved?.step == trainer.step ? unsaved?.validationLoss : nil
        try writer.write(
            checkpointFiles(), step: trainer.step, ledgerHead: ledger.head, keep: record.configuration.checkpointsKept,
            validationLoss: validationLoss ?? left)
        unsaved = nil
        lastSaved = trainer.step
        cadence.saved(trainer.step)
    }

    /// Sees that ledger and metrics are still the files that this process writes: what counts on them would count on nothing.
    private func requireFiles() throws {
        try ledger.requirePlace()
        try metrics.requirePlace()
    }

    /// What is to be said of an error that came while the run was on its way.
    ///
    /// Where the run's directory is being removed, any file may be missed first, at any moment; what is said is the same.
    package func explained(_ error: any Error) -> any Error {
        guard let error = error as? RunError else { return error }
        // Whoever removes the run is not done yet.
        for _ in 0..<40 {
            do throws(RunError) { try held.requirePlace() } catch { return error }
            do { try requireFiles() } catch { Thread.sleep(forTimeInterval: 0.05); continue }
            return error.midway
        }
        return error.midway
    }

    func checkpointFiles() throws -> [CheckpointFile] {
        trainer.checkpointFiles() + [try .json(SessionState.fileName, state)]
    }

    private enum ValidationOutcome {
        case done
        /// Nothing is held out.
        case nothing
        case leftOff
    }

    private func validate(_ shouldStop: @escaping @Sendable () -> Bool) throws -> ValidationOutcome {
        let batches = trainer.source.validation
        guard batches.count > 0 else { return .nothing }
        let (step, head, observer) = (trainer.step, ledger.head, FileFaults.observer)
        let done = try held.keptValidation(of: step, head, upTo: batches.count, note: self.observer.note)
        let result = try Validation.run(
            trainer.computer.model, on: batches, threads: threads, after: done ?? ValidationSums(),
            keep: { [held] sums in
                try FileFaults.$observer.withValue(observer) {
                    try held.keep(ValidationProgress(step: step, ledgerHead: head, sums: sums))
                }
            }, shouldStop: shouldStop)
        guard let result else { return .leftOff }
        state.validation = result
        state.score = Scoring.score(trainer.computer.model, on: trainer.configuration.data, validation: result)
        return .done
    }

    /// What the run came to when it ended, of one that is done; nil when nothing says so.
    ///
    /// - Throws: when it is of the same line of the ledger as the parameters that were loaded, and of other parameters: one of the two
    ///   was changed, and writing it again would hide which.
    package func storedSummary() throws -> RunSummary? {
        guard isDone else { return nil }
        let stored: RunSummary?
        do { stored = try held.directory.summary() } catch {
            observer.note("\(error); it is written again")
            return nil
        }
        guard let stored else { return nil }
        guard stored.steps == trainer.step, stored.ledgerHead == ledger.head else {
            observer.note("\(path): the summary is not of the run's last step; it is written again")
            return nil
        }
        let own = parametersSHA256(trainer.computer.model.namedTensors)
        guard stored.parametersSHA256 == own else {
            throw RunError(
                .damaged,
                "\(path)/\(RunDirectory.summaryName): parameters_sha256 is \(String(stored.parametersSHA256.prefix(80)).json), and of the parameters in the checkpoint of step \(trainer.step) it is \(own.json); expected the same: one of the two was changed, and `lockstep verify \(path)` says which"
            )
        }
        return stored
    }

    /// Saves what the run came to and writes `summary.json`.
    ///
    /// - Parameters:
    ///   - counts: of this process's workers; the summary has those of all that held the run.
    ///   - rejected: what this process's coordinator has rejected.
    ///   - stopped: how long ago the run was asked to stop; nil when nobody has asked.
    package func finish(
        workers counts: WorkerCounts? = nil, rejected: [String: Int]? = nil, stopped: Duration? = nil
    ) throws -> RunSummary {
        let deadline = stopped.map { ContinuousClock.now - $0 + Self.stopTime }
        if let counts { try workers.note(counts) }
        let total = workers.total
        if let deadline {
            if isDone { try finishSaving(by: deadline) } else { try beginSavingStopped(by: deadline) }
        }
        if deadline == nil || isDone { try save() }
        // While it is written.
        let sha256 = parametersSHA256(trainer.computer.model.namedTensors)
        if let deadline { try finishSaving(by: deadline) } else { try writer.wait() }
        try requireFiles()
        // Not before what it came to is there for certain.
        if state.pending == nil { try held.forgetValidation() }
        observer.close()
        let summary = RunSummary(
            run: path, steps: trainer.step, trainLoss: state.lastLoss, validationLoss: state.validation?.loss,
            tokensPerSecond: pace.rate, seconds: pace.seconds, parameters: trainer.computer.layout.count,
            parametersSHA256: sha256, ledgerHead: ledger.head,
            workersSeen: total.seen, workersLost: total.lost, audited: total.audited, outvoted: total.outvoted,
            incarnations: held.incarnation,
            score: state.score?.value,
            scoreName: state.score?.name, firstStepMilliseconds: firstStepMilliseconds, rejected: rejected)
        try held.writeSummary(summary)
        return summary
    }
}
