internal import Interchange
internal import Layers
internal import TensorCore

/// What a validation came to, as far as it was computed again.
enum RecomputedValidation {
    /// Nothing was validated yet, or nothing is held out.
    case none
    case known(Validation, Score?)
    /// It was due, and was not computed again.
    case unknown

    var validation: Validation? { if case .known(let validation, _) = self { validation } else { nil } }
    var score: Score? { if case .known(_, let score) = self { score } else { nil } }

    /// Whether it bears out a loss, or at least does not say otherwise.
    func agrees(_ loss: Double) -> Bool {
        if case .unknown = self { true } else { validation?.loss.bitPattern == loss.bitPattern }
    }
}

extension SessionState {
    /// The first thing in which a checkpoint's `session.json` is not what a run would save now; nil when there is none.
    ///
    /// - Parameters:
    ///   - report: of the checkpoint's step; nil for step 0, which comes before the first.
    ///   - record: what the run's `run.json` holds.
    ///   - validated: the newest validation, without the one that `pending` says was left off.
    func difference(
        after report: StepReport?, of record: RunRecord, validated: RecomputedValidation
    ) throws(RunError) -> String? {
        if let change = try self.record.differences(from: record, withNames: true).first {
            return "\(Self.fileName): of other settings than run.json: \(change)"
        }
        var comparison = MemberComparison()
        comparison.check("lastLoss", lastLoss, report?.loss)
        comparison.check("hasDiverged", hasDiverged, false)
        if let pending {
            let isDue = report.map { record.configuration.isValidationStep($0.step) } ?? false
            comparison.check("pending.step", pending.step, isDue ? report?.step : nil)
            comparison.check("pending.loss", pending.loss, report?.loss)
            comparison.check("pending.learning_rate", pending.learningRate, report?.learningRate)
            comparison.check("pending.gradient_norm", pending.gradientNorm, report?.gradientNorm)
            comparison.check("pending.validation_loss", pending.validationLoss, nil)
        }
        if case .unknown = validated {
            // Of a step before those recomputed.
        } else {
            let (own, others) = (validation, validated.validation)
            comparison.check("validation.loss", own?.loss, others?.loss)
            comparison.check("validation.tokens", own?.tokens, others?.tokens)
            comparison.check("validation.exact", own?.exact, others?.exact)
            comparison.check("validation.sequences", own?.sequences, others?.sequences)
            comparison.check("score.name", score?.name, validated.score?.name)
            comparison.check("score.value", score?.value, validated.score?.value)
        }
        return comparison.difference.map { "\(Self.fileName): \($0)" }
    }
}
