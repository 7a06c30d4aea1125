internal import Foundation
internal import Interchange
internal import Layers
internal import Sequences
internal import TensorCore

/// Recomputes steps of a run in this process and holds them against all that its directory says of them. Nothing is written.
package struct RunVerification {
    let directory: RunDirectory
    let record: RunRecord
    let trainer: Trainer
    let steps: ClosedRange<UInt64>
    let isWhole: Bool
    let claims: RunClaims
    /// What the ledger's first line follows from.
    let beginning: [UInt8]
    /// The step of the ledger's last line that holds.
    let ledgerSteps: UInt64
    /// A sentence about an end of the ledger that is damaged, cut short or lost: the steps behind it, as far as anything else speaks
    /// of them, are recomputed in its place.
    let ledgerEnd: String?
    let threads: Int
    /// How many times, a tenth of a second apart, a ledger is looked at again that has become shorter meanwhile.
    let patience: Int
    private let start: Checkpoint?
    private let notes: [String]

    /// Finds what to begin from.
    ///
    /// - Parameter steps: which steps; when left out all that the ledger holds, or held before its end was damaged.
    /// - Throws: `RunError` when the ledger cannot be read or the settings have changed since the run began, `ConfigurationError` when the data has changed or the steps are not there.
    package init(path: String, steps wanted: ClosedRange<UInt64>?, threads: Int, patience: Int = 50) throws {
        self.patience = patience
        directory = try RunDirectory(path)
        record = try RunRecord(reading: directory, for: .training)
        try directory.requireRegularClaims()
        let known = try record.checkedOrigin(in: directory)
        let presumed = known == nil ? try record.presumedOrigin(in: directory) : nil
        let origin = known ?? presumed?.hash ?? LedgerLine.noHash
        let source = try record.openSource(of: path)
        let survey: LedgerSurvey
        let passedOver: [String]
        (claims, survey, passedOver) = try Self.look(at: directory, from: origin)
        beginning = survey.origin ?? origin
        ledgerEnd = Self.end(of: survey, claims, in: directory.ledgerPath)
        let last = ledgerEnd == nil ? survey.steps : max(survey.steps, min(claims.furthest, record.configuration.steps))
        guard last > 0 else {
            if let damage = survey.damages.first { throw RunError(.damaged, damage.sentence) }
            if let sentence = claims.contradiction(of: directory.ledgerPath, endingAt: 0, "has no line") {
                throw RunError(.damaged, sentence)
            }
            throw ConfigurationError(description: "\(path): the ledger has no line yet; nothing can be verified")
        }
        steps = wanted ?? 1...last
        isWhole = wanted == nil
        ledgerSteps = survey.steps
        guard steps.lowerBound >= 1, steps.upperBound <= last else {
            let holder = last == survey.steps ? "which the ledger holds" : "of which the run's files speak"
            throw ConfigurationError(
                description:
                    "--steps \(steps.lowerBound)..\(steps.upperBound): expected steps from 1 to \(last), \(holder)"
            )
        }
        guard steps.upperBound <= record.configuration.steps else {
            throw RunError(
                .damaged,
                "\(directory.ledgerPath): has a line of step \(survey.steps); expected \(record.configuration.steps) steps, as run.json says"
            )
        }
        self.threads = threads
        let skipped: [String]
        (start, skipped) = try Self.beginning(directory, before: steps.lowerBound, claims, survey)
        notes = [presumed?.sentence].compactMap(\.self) + passedOver + skipped
        trainer = Trainer(record.configuration, source: source)
        if let start {
            try trainer.restore(start)
        } else {
            do { try record.initialParameters?.load(into: trainer.computer.model) } catch {
                // Where both are lost nothing can be computed; the checkpoint is what may be put back.
                if claims.checkpoints.contains(0) {
                    guard let fault = skipped.last else { throw error }
                    throw RunError(.damaged, "\(fault); \(error)")
                }
                let beginning = "\(path)/checkpoints/\(CheckpointStore.name(0))"
                let lost = claims.stepsAfterBeginning ?? last
                let others = lost < last ? " (of those behind them: --steps \(lost + 1)..\(last))" : ""
                throw RunError(
                    .damaged,
                    (skipped + [
                        "\(beginning): missing; expected what the run begins with, as its file is gone too: \(error)",
                        "steps 1 to \(lost) cannot be recomputed\(others)",
                    ]).joined(separator: "; "))
            }
        }
    }

    /// What a run's directory says of its steps, and then its ledger.
    ///
    /// Where somebody takes the run up between the two looks, the ledger is cut to a checkpoint and ends before what was said. The
    /// other files follow in a moment, or in a few seconds where a process that holds the run is slow: only what is still there then
    /// is a contradiction.
    private static func look(
        at directory: RunDirectory, from origin: [UInt8]
    ) throws -> (RunClaims, LedgerSurvey, notes: [String]) {
        var attempts = 0
        while true {
            attempts += 1
            let isLast = attempts >= 3 && (attempts == 50 || !RunLock.isHeld(directory.path))
            do {
                var claims = try RunClaims(directory)
                let survey = try LedgerSurvey(path: directory.ledgerPath, marking: claims.checkpoints, from: origin)
                let notes = claims.passOverStrangers(after: survey.steps, in: directory)
                if isLast || claims.beyond(survey.steps) == nil && claims.faults.isEmpty {
                    return (claims, survey, notes)
                }
            } catch let error as RunError where error.isOfAFileCutMeanwhile && !isLast {
                // Cut while it was read.
            }
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    /// What is wrong with the ledger's end; nil when it ends with a line that holds.
    private static func end(of survey: LedgerSurvey, _ claims: RunClaims, in path: String) -> String? {
        if let damage = survey.damages.last, damage.before == nil { return damage.sentence }
        // A line that is cut short, or none yet, is also what a run has that was killed or has just begun.
        guard survey.tornBytes > 0 || survey.steps == 0 else { return nil }
        return claims.contradiction(
            of: path, endingAt: survey.steps, survey.tornBytes > 0 ? "the last line was cut short" : "has no line")
    }

    /// The newest checkpoint before `step` that the ledger vouches for, and a sentence about each that was skipped.
    private static func beginning(
        _ directory: RunDirectory, before first: UInt64, _ claims: RunClaims, _ survey: LedgerSurvey
    ) throws -> (Checkpoint?, [String]) {
        var notes: [String] = []
        for step in claims.checkpoints.sorted(by: >) where step < first {
            do {
                let checkpoint = try directory.checkpoint(step: step)
                if let mark = survey.marks[step], checkpoint.follows(mark.hash) { return (checkpoint, notes) }
                notes.append("checkpoint of step \(step) skipped: the ledger's line is not the checkpoint's")
            } catch { notes.append("checkpoint of step \(step) skipped: \(error)") }
        }
        return (nil, notes)
    }

    /// Recomputes up to the first difference.
    ///
    /// - Parameter progressed: told of each step.
    package func run(progressed: (_ step: UInt64, _ last: UInt64) -> Void = { _, _ in }) throws -> VerificationResult {
        let result = VerificationResult(
            run: directory.path, steps: steps, isWhole: isWhole, ledgerSteps: ledgerSteps,
            runSteps: record.configuration.steps, checkpoint: start?.step ?? 0, notes: notes)
        var recomputation = Recomputation(self, result)
        try recomputation.run(progressed)
        return recomputation.result
    }
}
