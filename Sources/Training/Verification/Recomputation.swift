internal import Foundation
internal import Interchange
internal import Layers
internal import Sequences
internal import TensorCore

/// The steps of a run, computed once more, each held against the ledger and then against whatever else speaks of it.
struct Recomputation {
    private let verification: RunVerification
    private(set) var result: VerificationResult
    private let names: [String]
    /// Hash of the line of the trainer's step: the ledger's, or the recomputed one's where the ledger is damaged.
    private var head: [UInt8]
    /// What the newest validation came to, and the one before it.
    private var (validated, validatedBefore): (RecomputedValidation, RecomputedValidation)
    /// What is wrong with the ledger's end, for as long as no line has come behind it.
    private var ledgerEnd: String?

    init(_ verification: RunVerification, _ result: VerificationResult) {
        self.verification = verification
        self.result = result
        names = verification.record.parameterNames
        head = verification.beginning
        ledgerEnd = verification.ledgerEnd
        let start = verification.trainer.step
        // A checkpoint's own word for what was validated before it is not recomputed.
        validated = start == 0 ? .none : .unknown
        validatedBefore = validated
    }

    private var trainer: Trainer { verification.trainer }
    private var claims: RunClaims { verification.claims }
    private var path: String { verification.directory.path }

    mutating func run(_ progressed: (_ step: UInt64, _ last: UInt64) -> Void) throws {
        // Before the first step is what a run begins with that was given its parameters.
        if result.isWhole, trainer.step == 0, claims.checkpoints.contains(0) { _ = try compareCheckpoint(0, nil) }
        let last = result.steps.upperBound
        if FileSystem.kind(of: verification.directory.ledgerPath) != nil || ledgerEnd == nil {
            try runAlongLedger(progressed)
            // Whoever takes the run up cuts the ledger to a checkpoint and comes to these steps again in a moment, or in a few seconds
            // where a coordinator that was killed is started again.
            for _ in 0..<verification.patience
            where result.finding == nil && trainer.step < min(last, result.ledgerSteps) {
                Thread.sleep(forTimeInterval: 0.1)
                try runAlongLedger(progressed)
            }
        }
        if result.finding == nil, trainer.step >= result.ledgerSteps { try runBehindLedger(progressed) }
        guard result.finding == nil else { return }
        guard trainer.step == last else {
            // Neither that it is identical can be said nor that it differs.
            throw RunError(
                .damaged,
                "\(verification.directory.ledgerPath): ends at step \(trainer.step) now, and went on to step \(min(last, result.ledgerSteps)) when it was looked at first: the run was taken up again meanwhile, or somebody shortens it; verify it once more"
            )
        }
        try finish()
    }

    /// Recomputes up to the last line, and what is missing between lines.
    private mutating func runAlongLedger(_ progressed: (_ step: UInt64, _ last: UInt64) -> Void) throws {
        let last = result.steps.upperBound
        var cursor = try LedgerCursor(path: verification.directory.ledgerPath)
        var damage: LedgerDamage?
        while result.finding == nil, trainer.step < last, let piece = try cursor.nextUnlessCut() {
            switch piece {
            case .torn: break
            case .damage(let found):
                // Damage before the steps in question is not what was asked for.
                damage = result.isWhole || (found.before ?? .max) > result.steps.lowerBound ? found : nil
            case .line(let line, _):
                let step = line.entry.step
                guard step > trainer.step else {
                    head = line.hash
                    damage = nil
                    continue
                }
                while result.finding == nil, trainer.step < min(step - 1, last) { try computeMissing(progressed) }
                guard result.finding == nil, trainer.step < last else { continue }
                if step > result.ledgerSteps { ledgerEnd = nil }
                if let found = damage {
                    note(found, closedBy: line)
                    damage = nil
                }
                guard let own = try nextEntry(hashing: line.entry.parametersSHA256 != nil) else { return }
                try compare(line.entry, own.entry)
                head = line.hash
                if result.finding == nil { try compareFiles(own.report) }
                progressed(trainer.step, last)
            }
        }
    }

    /// Recomputes the steps of which only other files speak, behind an end of the ledger that is damaged or lost.
    private mutating func runBehindLedger(_ progressed: (_ step: UInt64, _ last: UInt64) -> Void) throws {
        let last = result.steps.upperBound
        guard let ledgerEnd, result.isWhole || last > result.ledgerSteps else { return }
        let missing = result.ledgerSteps + 1..<last + 1
        result.damages.append(
            missing.isEmpty ? ledgerEnd : "\(ledgerEnd); \(Self.lines(missing)) recomputed: none comes after")
        while result.finding == nil, trainer.step < last { try computeMissing(progressed) }
    }

    /// Computes the next step, whose line is missing or damaged, and compares what else speaks of it.
    private mutating func computeMissing(_ progressed: (_ step: UInt64, _ last: UInt64) -> Void) throws {
        guard let own = try nextEntry(hashing: nil) else { return }
        head = Self.hash(own.entry, after: head)
        try compareFiles(own.report)
        progressed(trainer.step, result.steps.upperBound)
    }

    private static func lines(_ missing: Range<UInt64>) -> String {
        missing.count == 1
            ? "line \(missing.lowerBound)" : "lines \(missing.lowerBound) to \(missing.upperBound - 1)"
    }

    /// Computes the next step.
    ///
    /// - Parameter hashing: whether its line has the parameters' SHA-256; nil for what the run's settings say.
    /// - Returns: nil where its numbers leave the range, so that no run can have gone on from there: that is the finding then.
    private mutating func nextEntry(hashing: Bool?) throws -> (entry: LedgerEntry, report: StepReport)? {
        trainer.beginStep()
        trainer.compute(trainer.wholeStep, threads: verification.threads)
        let report = trainer.finishStep()
        if let part = report.nonFinite {
            result.finding =
                "step \(report.step): \(part) is not finite when it is computed again, and the run went on from there"
            return nil
        }
        let hash = hashing ?? trainer.isCheckpointStep ? parametersSHA256(trainer.computer.model.namedTensors) : nil
        return (LedgerEntry(report, parametersSHA256: hash), report)
    }

    private static func hash(_ entry: LedgerEntry, after previous: [UInt8]) -> [UInt8] {
        var line: [UInt8] = []
        return LedgerLine.render(entry, previous: previous, into: &line)
    }

    private mutating func compare(_ entry: LedgerEntry, _ own: LedgerEntry) throws {
        guard entry.step >= result.steps.lowerBound else { return }
        guard entry.gradient.count == names.count else {
            throw RunError(
                .damaged,
                "\(verification.directory.ledgerPath): line \(entry.step) has \(entry.gradient.count) gradient checksums; expected \(names.count), one a parameter; the run was begun by an earlier version"
            )
        }
        result.difference = LedgerDifference(
            entry, own, names: names, shardCount: verification.record.configuration.shards)
        result.finding = result.difference?.sentence
    }

    /// Says of damage what the line behind it says of the recomputed ones in its place.
    private mutating func note(_ damage: LedgerDamage, closedBy line: LedgerLine) {
        let missing = damage.after + 1..<line.entry.step
        guard !missing.isEmpty else { return result.damages.append(damage.sentence) }
        let lines = Self.lines(missing)
        result.damages.append(
            line.previous == head
                ? "\(damage.sentence); \(lines) recomputed: what comes next follows from it"
                : "\(damage.sentence); \(lines) recomputed: what comes next does not follow from it")
    }

    // MARK: What else speaks of a step

    private mutating func compareFiles(_ report: StepReport) throws {
        let step = report.step
        try validate(after: step)
        guard step >= result.steps.lowerBound else { return }
        let summary = claims.summary.flatMap { $0.steps == step ? $0 : nil }
        var pending = false
        if claims.checkpoints.contains(step) { pending = try compareCheckpoint(step, report) }
        var records = claims.metrics[step] ?? []
        let isMissing =
            records.isEmpty && configuration.isRecordedStep(step) && claims.requiresRecord(of: step, pending: pending)
        // Its checkpoint may have been written once more since the records were read, after a validation was made up for.
        if isMissing { records = RunClaims.metrics(of: step, in: verification.directory) }
        for record in records where result.finding == nil { compareMetrics(record, report) }
        if result.finding == nil, isMissing, records.isEmpty {
            let damage = claims.metricsDamage.map { "; \($0)" } ?? ""
            let ledger = step > result.ledgerSteps ? "has no line of it, and" : "is identical, but"
            result.finding =
                "step \(step): the ledger \(ledger) metrics.jsonl has no record of the step; expected one\(damage)"
        }
        if let summary, result.finding == nil { compareSummary(summary, report, validationPending: pending) }
    }

    private var configuration: RunConfiguration { verification.record.configuration }

    /// Validates the model after `step`, if it was then and anything speaks of what it came to.
    private mutating func validate(after step: UInt64) throws {
        guard configuration.isValidationStep(step) else { return }
        validatedBefore = validated
        let batches = trainer.source.validation
        guard batches.count > 0 else { return validated = .none }
        // Until the next is over, the summary and the checkpoints have this one.
        let last = max(step, result.steps.upperBound)
        let concerned = step...step + min(configuration.validationEvery, last - step)
        let isClaimed =
            claims.metrics[step] != nil || claims.checkpoints.contains(where: concerned.contains)
            || claims.summary.map { concerned.contains($0.steps) } == true
        let kept = claims.validation.flatMap { $0.step == step ? $0 : nil }
        guard isClaimed || kept != nil else { return validated = .unknown }
        let model = trainer.computer.model
        var done = ValidationSums()
        if let kept {
            done = try Validation.sums(
                model, on: batches, upTo: min(max(0, kept.sums.batches), batches.count), threads: verification.threads)
            compareKept(kept, done)
            guard isClaimed else { return validated = .unknown }
        }
        let validation = Validation.run(model, on: batches, threads: verification.threads, after: done)
        validated = .known(validation, Scoring.score(model, on: configuration.data, validation: validation))
    }

    /// Holds what a validation that is not over is to be gone on from against what its batches come to.
    private mutating func compareKept(_ kept: ValidationProgress, _ own: ValidationSums) {
        guard kept.step >= result.steps.lowerBound, result.finding == nil else { return }
        var comparison = MemberComparison()
        comparison.check("ledger_head", kept.ledgerHead, String(decoding: head, as: UTF8.self))
        comparison.check("batches", kept.sums.batches, own.batches)
        comparison.check("loss", kept.sums.loss, own.loss)
        comparison.check("tokens", kept.sums.tokens, own.tokens)
        comparison.check("exact", kept.sums.exact, own.exact)
        comparison.check("sequences", kept.sums.sequences, own.sequences)
        result.finding = finding(comparison, ValidationProgress.fileName, kept.step)
    }

    /// - Parameter report: of the step; nil for step 0, which comes before the first.
    /// - Returns: whether the checkpoint says that the validation of its step was left off.
    private mutating func compareCheckpoint(_ step: UInt64, _ report: StepReport?) throws -> Bool {
        var what: String?
        var pending = false
        for attempt in 1... {
            do {
                (what, pending) = try examineCheckpoint(step, report)
                break
            } catch let error as RunError where error.code == .denied {
                // Nothing is known of it.
                throw error
            } catch {
                what = "\(error)"
                // Whoever trains the run meanwhile lets go of the oldest, and writes one again whose validation was made up for.
                let now = try verification.directory.checkpointSteps()
                let isHeld = RunLock.isHeld(path)
                if !now.contains(step), isHeld || now.contains(where: { $0 > step }) {
                    result.notes.append("checkpoint of step \(step): removed meanwhile; not compared")
                    return false
                }
                guard isHeld, attempt < 3 else { break }
            }
        }
        result.checkpointsCompared += 1
        if let what {
            result.differingCheckpoint = step
            result.finding = finding("the checkpoint", step, what)
        }
        return pending
    }

    /// In what the checkpoint of a step is not what was recomputed, and whether it says that its validation was left off.
    private func examineCheckpoint(
        _ step: UInt64, _ report: StepReport?
    ) throws -> (difference: String?, pending: Bool) {
        let checkpoint = try verification.directory.checkpoint(step: step)
        let state = try SessionState.read(checkpoint)
        let pending = state?.pending != nil
        guard checkpoint.follows(head) else { return ("its manifest names another line of the ledger", pending) }
        if let stored = checkpoint.manifest.validationLoss, !stored.isNaN,
            step == 0 || !configuration.isValidationStep(step) || !validated.agrees(stored)
        {
            let own = validated.validation.map { "\($0.loss)" } ?? "none"
            return ("its manifest has a validation loss of \(stored); recomputed, \(own)", pending)
        }
        let difference =
            try checkpoint.difference(from: trainer)
            ?? state?.difference(
                after: report, of: verification.record, validated: pending ? validatedBefore : validated)
        return (difference, pending)
    }

    private mutating func compareMetrics(_ record: MetricsRecord, _ report: StepReport) {
        result.metricsCompared += 1
        var comparison = MemberComparison()
        comparison.check("loss", record.loss, report.loss)
        comparison.check("learning_rate", record.learningRate, report.learningRate)
        comparison.check("gradient_norm", record.gradientNorm, report.gradientNorm)
        let isDue = configuration.isValidationStep(report.step)
        comparison.check("validation_loss", record.validationLoss, isDue ? validated.validation?.loss : nil)
        comparison.check("score", record.score, isDue ? validated.score?.value : nil)
        comparison.check("score_name", record.scoreName, isDue ? validated.score?.name : nil)
        result.finding = finding(comparison, "metrics.jsonl", report.step)
    }

    /// - Parameter attempts: how many times more it may be read where it is another by now.
    private mutating func compareSummary(
        _ summary: RunSummary, _ report: StepReport, validationPending: Bool, attempts: Int = 3
    ) {
        result.summaryCompared = true
        let model = trainer.computer.model
        var comparison = MemberComparison()
        comparison.check("parameters_sha256", summary.parametersSHA256, parametersSHA256(model.namedTensors))
        comparison.check("ledger_head", summary.ledgerHead, String(decoding: head, as: UTF8.self))
        comparison.check("parameters", summary.parameters, trainer.computer.layout.count)
        comparison.check("train_loss", summary.trainLoss, report.loss)
        if validationPending {
            result.notes.append("\(path)/summary.json: validation_loss not compared: it is of an earlier step")
        } else if case .unknown = validated {
            result.notes.append(
                "\(path)/summary.json: validation_loss not compared: it is of a step before those recomputed")
        } else {
            comparison.check("validation_loss", summary.validationLoss, validated.validation?.loss)
            comparison.check("score", summary.score, validated.score?.value)
            comparison.check("score_name", summary.scoreName, validated.score?.name)
        }
        result.finding = finding(comparison, RunDirectory.summaryName, report.step)
        guard result.finding != nil else { return }
        // Whoever takes the run up and makes up for a validation removes the summary from before it.
        let now = try? verification.directory.summary()
        // As text: a member that is no number is never equal to itself.
        if let now, attempts > 0, now.steps == report.step, (try? now.json()) != (try? summary.json()) {
            result.finding = nil
            compareSummary(now, report, validationPending: validationPending, attempts: attempts - 1)
        } else if now.map({ $0.steps > report.step })
            ?? (FileSystem.kind(of: "\(path)/\(RunDirectory.summaryName)") == nil)
        {
            (result.finding, result.summaryCompared) = (nil, false)
            result.notes.append("\(path)/\(RunDirectory.summaryName): removed meanwhile; not compared")
        }
    }

    private func finding(_ comparison: MemberComparison, _ file: String, _ step: UInt64) -> String? {
        comparison.difference.map { finding(file, step, $0) }
    }

    private func finding(_ file: String, _ step: UInt64, _ difference: String) -> String {
        if step == 0 { return "step 0, before the first: \(file) is not what the run begins with: \(difference)" }
        return step > result.ledgerSteps
            ? "step \(step): the ledger has no line of it, and \(file) is not what was recomputed: \(difference)"
            : "step \(step): the ledger is identical, but not \(file): \(difference)"
    }

    /// What is to be said where the checkpoint is gone that a run has of step 0 which was given its first parameters.
    ///
    /// Its first holder writes it before the first step, and nobody lets go of it. A run of an earlier version has none.
    private var missingBeginning: String? {
        guard let given = verification.record.initialParameters, verification.beginning != LedgerLine.noHash,
            !claims.checkpoints.contains(0)
        else { return nil }
        let place = "\(path)/checkpoints/\(CheckpointStore.name(0))"
        // The run may have begun after the checkpoints were looked at.
        guard FileSystem.kind(of: place) == nil else { return nil }
        let lost = claims.stepsAfterBeginning ?? result.steps.upperBound
        return
            "step 0, before the first: \(place) is missing; expected what the run begins with: without it and \(given.path), steps 1 to \(lost) cannot be recomputed"
    }

    /// What is left when every line, and all that speaks of a step, is identical.
    private mutating func finish() throws {
        guard result.isWhole else { return }
        if let (step, witness) = claims.beyond(result.steps.upperBound) {
            result.finding =
                "step \(result.steps.upperBound + 1): \(verification.directory.ledgerPath) ends at step \(result.ledgerSteps); expected step \(step) as its last, of which \(witness) is"
        } else {
            result.finding = try claims.latestObjection(in: path) ?? claims.faults.first ?? missingBeginning
        }
    }
}
