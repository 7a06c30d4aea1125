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
    private var head = LedgerLine.noHash
    /// What the summary must say of validation, and the same of the step at hand; nil where it was not recomputed.
    private var validated: Validated?

    private struct Validated {
        let validation: Validation
        let score: Score?
    }

    init(_ verification: RunVerification, _ result: VerificationResult) {
        self.verification = verification
        self.result = result
        compute = LocalCompute(threads: verification.threads)
        names = verification.record.parameterNames
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
        if result.finding == nil { finish() }
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
        let configuration = verification.record.configuration
        let isDue = step % configuration.validationEvery == 0 || trainer.isDone
        let summary = claims.summary.flatMap { $0.steps == step ? $0 : nil }
        let isClaimed =
            claims.metrics[step]?.contains { $0.validationLoss != nil } == true || claims.checkpoints.contains(step)
            || isNextForSummary(step, every: configuration.validationEvery)
        if isDue, isClaimed, trainer.source.validation.count > 0 {
            let model = trainer.computer.model
            let validation = Validation.run(model, on: trainer.source.validation, threads: verification.threads)
            validated = Validated(
                validation: validation,
                score: Scoring.score(model, on: configuration.data, validation: validation))
        } else if isDue {
            validated = nil
        }
        guard step >= result.steps.lowerBound else { return }
        var pending = false
        if claims.checkpoints.contains(step) { pending = try compareCheckpoint(report) }
        for record in claims.metrics[step] ?? [] where result.finding == nil { compareMetrics(record, report) }
        if let summary, result.finding == nil { compareSummary(summary, report, validationPending: pending) }
    }

    /// Whether the validation that is due after `step` is the last one before the summary's own step.
    private func isNextForSummary(_ step: UInt64, every: UInt64) -> Bool {
        guard let summary = claims.summary, summary.steps >= step, summary.steps <= result.steps.upperBound else {
            return false
        }
        return summary.steps - step < every
    }

    /// - Returns: whether the checkpoint says that the validation of its step was left off.
    private mutating func compareCheckpoint(_ report: StepReport) throws -> Bool {
        let step = report.step
        let what: String?
        var pending = false
        do {
            let checkpoint = try verification.directory.checkpoint(step: step)
            pending = try SessionState.read(checkpoint)?.pending != nil
            if !checkpoint.follows(head) {
                what = "its manifest names another line of the ledger"
            } else if let stored = checkpoint.manifest.validationLoss, stored != validated?.validation.loss,
                !stored.isNaN
            {
                what =
                    "its manifest has a validation loss of \(stored); recomputed, \(validated?.validation.loss ?? .nan)"
            } else {
                what = try checkpoint.difference(from: trainer, after: report)
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
        var comparison = Comparison(file: "metrics.jsonl", step: report.step)
        comparison.check("loss", record.loss, report.loss)
        comparison.check("learning_rate", record.learningRate, report.learningRate)
        comparison.check("gradient_norm", record.gradientNorm, report.gradientNorm)
        if record.validationLoss != nil {
            comparison.check("validation_loss", record.validationLoss, validated?.validation.loss)
            comparison.check("score", record.score, validated?.score?.value)
        }
        result.finding = comparison.finding
    }

    private mutating func compareSummary(_ summary: RunSummary, _ report: StepReport, validationPending: Bool) {
        result.summaryCompared = true
        let model = trainer.computer.model
        var comparison = Comparison(file: RunDirectory.summaryName, step: report.step)
        comparison.check("parameters_sha256", summary.parametersSHA256, parametersSHA256(model.namedTensors))
        comparison.check("ledger_head", summary.ledgerHead, String(decoding: head, as: UTF8.self))
        comparison.check("parameters", summary.parameters, trainer.computer.layout.count)
        comparison.check("train_loss", summary.trainLoss, report.loss)
        if validationPending {
            result.notes.append("\(path)/summary.json: validation_loss not compared: it is of an earlier step")
        } else if let validated {
            comparison.check("validation_loss", summary.validationLoss, validated.validation.loss)
            comparison.check("score", summary.score, validated.score?.value)
        } else if summary.validationLoss != nil {
            let isKnown = trainer.source.validation.count == 0 || report.step < validationEvery
            if isKnown {
                comparison.check("validation_loss", summary.validationLoss, nil)
            } else {
                result.notes.append(
                    "\(path)/summary.json: validation_loss not compared: it is of a step before those recomputed")
            }
        }
        result.finding = comparison.finding
    }

    private var validationEvery: UInt64 { verification.record.configuration.validationEvery }

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

/// Members of a file, one after another, up to the first that differs.
private struct Comparison {
    let file: String
    let step: UInt64
    var finding: String?

    mutating func check<Value: Comparable>(_ member: String, _ stored: Value?, _ recomputed: Value?) {
        // Text tells every two numbers apart, and no number that is none from itself.
        let (stored, recomputed) = (stored.map { "\($0)" } ?? "null", recomputed.map { "\($0)" } ?? "null")
        guard finding == nil, stored != recomputed else { return }
        finding =
            "step \(step): the ledger is identical, but not \(file): \(member) is \(stored); recomputed, \(recomputed)"
    }
}
