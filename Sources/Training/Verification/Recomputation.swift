internal import Interchange
internal import Layers
internal import Sequences
internal import TensorCore

/// The steps of a run, computed once more, each held against the ledger and then against whatever else speaks of it.
struct Recomputation {
    private let verification: RunVerification
    private(set) var result: VerificationResult
    private let compute: LocalCompute
    private let names: [String]
    /// Hash of the line of the trainer's step: the ledger's, or the recomputed one's where the ledger is damaged.
    private var head: [UInt8]
    /// What the newest validation came to, and the one before it.
    private var (validated, validatedBefore): (RecomputedValidation, RecomputedValidation)

    init(_ verification: RunVerification, _ result: VerificationResult) {
        self.verification = verification
        self.result = result
        compute = LocalCompute(threads: verification.threads)
        names = verification.record.parameterNames
        head = verification.beginning
        let start = verification.trainer.step
        // A checkpoint's own word for what was validated before it is not recomputed.
        validated = start == 0 ? .none : .unknown
        validatedBefore = validated
    }

    private var trainer: Trainer { verification.trainer }
    private var claims: RunClaims { verification.claims }
    private var path: String { verification.directory.path }

    mutating func run(_ progressed: (_ step: UInt64, _ last: UInt64) -> Void) throws {
        let last = result.steps.upperBound
        var cursor = try LedgerCursor(path: verification.directory.ledgerPath)
        var damage: LedgerDamage?
        while result.finding == nil, trainer.step < last, let piece = try cursor.next() {
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
                while result.finding == nil, trainer.step < min(step - 1, last) {
                    let own = try nextEntry(hashing: nil)
                    head = Self.hash(own.entry, after: head)
                    try compareFiles(own.report)
                    progressed(trainer.step, last)
                }
                guard result.finding == nil, trainer.step < last else { continue }
                if let found = damage {
                    note(found, closedBy: line)
                    damage = nil
                }
                let own = try nextEntry(hashing: line.entry.parametersSHA256 != nil)
                try compare(line.entry, own.entry)
                head = line.hash
                if result.finding == nil { try compareFiles(own.report) }
                progressed(trainer.step, last)
            }
        }
        guard result.finding == nil else { return }
        guard trainer.step == last else {
            throw RunError(
                .file,
                "\(verification.directory.ledgerPath): ends at step \(trainer.step) now, and went on to step \(last) when it was looked at first: the run was taken up again meanwhile, or somebody shortens it; verify it once more"
            )
        }
        finish()
    }

    /// Computes the next step.
    ///
    /// - Parameter hashing: whether its line has the parameters' SHA-256; nil for what the run's settings say.
    private mutating func nextEntry(hashing: Bool?) throws -> (entry: LedgerEntry, report: StepReport) {
        trainer.beginStep()
        compute.compute(trainer.wholeStep, of: trainer)
        let report = trainer.finishStep()
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
        let lines =
            missing.count == 1
            ? "line \(missing.lowerBound)" : "lines \(missing.lowerBound) to \(missing.upperBound - 1)"
        result.damages.append(
            line.previous == head
                ? "\(damage.sentence); \(lines) recomputed: what comes next follows from it"
                : "\(damage.sentence); \(lines) recomputed: what comes next does not follow from it")
    }

    // MARK: What else speaks of a step

    private mutating func compareFiles(_ report: StepReport) throws {
        let step = report.step
        validate(after: step)
        guard step >= result.steps.lowerBound else { return }
        let summary = claims.summary.flatMap { $0.steps == step ? $0 : nil }
        var pending = false
        if claims.checkpoints.contains(step) { pending = try compareCheckpoint(report) }
        var records = claims.metrics[step] ?? []
        let isMissing =
            records.isEmpty && configuration.isRecordedStep(step) && claims.requiresRecord(of: step, pending: pending)
        // Its checkpoint may have been written once more since the records were read, after a validation was made up for.
        if isMissing { records = RunClaims.metrics(of: step, in: verification.directory) }
        for record in records where result.finding == nil { compareMetrics(record, report) }
        if result.finding == nil, isMissing, records.isEmpty {
            let damage = claims.metricsDamage.map { "; \($0)" } ?? ""
            result.finding =
                "step \(step): the ledger is identical, but metrics.jsonl has no record of the step; expected one\(damage)"
        }
        if let summary, result.finding == nil { compareSummary(summary, report, validationPending: pending) }
    }

    private var configuration: RunConfiguration { verification.record.configuration }

    /// Validates the model after `step`, if it was then and anything speaks of what it came to.
    private mutating func validate(after step: UInt64) {
        guard configuration.isValidationStep(step) else { return }
        validatedBefore = validated
        let batches = trainer.source.validation
        guard batches.count > 0 else { return validated = .none }
        // Until the next is over, the summary and the checkpoints have this one.
        let concerned = step...min(step + configuration.validationEvery, max(step, result.steps.upperBound))
        let isClaimed =
            claims.metrics[step] != nil || claims.checkpoints.contains(where: concerned.contains)
            || claims.summary.map { concerned.contains($0.steps) } == true
        guard isClaimed else { return validated = .unknown }
        let model = trainer.computer.model
        let validation = Validation.run(model, on: batches, threads: verification.threads)
        validated = .known(validation, Scoring.score(model, on: configuration.data, validation: validation))
    }

    /// - Returns: whether the checkpoint says that the validation of its step was left off.
    private mutating func compareCheckpoint(_ report: StepReport) throws -> Bool {
        let step = report.step
        let what: String?
        var pending = false
        do {
            let checkpoint = try verification.directory.checkpoint(step: step)
            let state = try SessionState.read(checkpoint)
            pending = state?.pending != nil
            if !checkpoint.follows(head) {
                what = "its manifest names another line of the ledger"
            } else if let stored = checkpoint.manifest.validationLoss, !stored.isNaN,
                !configuration.isValidationStep(step) || !validated.agrees(stored)
            {
                what =
                    "its manifest has a validation loss of \(stored); recomputed, \(validated.validation.map { "\($0.loss)" } ?? "none")"
            } else {
                what =
                    try checkpoint.difference(from: trainer)
                    ?? state?.difference(
                        after: report, of: verification.record, validated: pending ? validatedBefore : validated)
            }
        } catch {
            // Whoever trains the run meanwhile lets go of the oldest.
            let now = try verification.directory.checkpointSteps()
            if !now.contains(step), now.contains(where: { $0 > step && !claims.checkpoints.contains($0) }) {
                result.notes.append("checkpoint of step \(step): removed meanwhile, as newer ones were written")
                return false
            }
            what = "\(error)"
        }
        result.checkpointsCompared += 1
        if let what {
            result.differingCheckpoint = step
            result.finding = "step \(step): the ledger is identical, but not the checkpoint: \(what)"
        }
        return pending
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
        result.finding = finding(comparison, "metrics.jsonl", report.step)
    }

    private mutating func compareSummary(_ summary: RunSummary, _ report: StepReport, validationPending: Bool) {
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
        }
        result.finding = finding(comparison, RunDirectory.summaryName, report.step)
    }

    private func finding(_ comparison: MemberComparison, _ file: String, _ step: UInt64) -> String? {
        comparison.difference.map { "step \(step): the ledger is identical, but not \(file): \($0)" }
    }

    /// What is left when every line is identical.
    private mutating func finish() {
        guard result.isWhole else { return }
        if let sentence = verification.ledgerEnd {
            result.damages.append(sentence)
        } else if let (step, witness) = claims.beyond(result.ledgerSteps) {
            result.finding =
                "step \(result.ledgerSteps + 1): \(verification.directory.ledgerPath) ends at step \(result.ledgerSteps); expected step \(step) as its last, of which \(witness) is"
        } else {
            result.finding = claims.latestObjection(in: path) ?? claims.faults.first
        }
    }
}
