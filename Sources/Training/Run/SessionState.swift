/// What a session knows beside parameters and optimiser, as a checkpoint keeps it: a resumed run says and writes what it would have.
struct SessionState: Codable, Equatable {
    static let fileName = "session.json"

    /// The settings that the checkpoint was made with.
    var record: RunRecord
    /// Mean loss of the last step.
    var lastLoss: Double?
    /// The newest.
    var validation: Validation?
    var score: Score?
    var hasDiverged = false
    /// The record of a step whose validation was due and was left off: it is made up for before the next step.
    var pending: MetricsRecord?
}

/// One line of `metrics.jsonl`.
struct MetricsRecord: Codable, Equatable {
    let step: UInt64
    let loss: Double
    let learningRate: Float
    let gradientNorm: Float
    var validationLoss: Double?
    var score: Double?
    var scoreName: String?

    private enum CodingKeys: String, CodingKey {
        case step, loss, score
        case learningRate = "learning_rate"
        case gradientNorm = "gradient_norm"
        case validationLoss = "validation_loss"
        case scoreName = "score_name"
    }

    init(_ report: StepReport) {
        step = report.step
        loss = report.loss
        learningRate = report.learningRate
        gradientNorm = report.gradientNorm
    }

    mutating func take(_ validation: Validation?, _ score: Score?) {
        validationLoss = validation?.loss
        self.score = score?.value
        scoreName = score?.name
    }
}

extension LedgerEntry {
    /// - Parameter parametersSHA256: at a step with a checkpoint.
    init(_ report: StepReport, parametersSHA256: String?) {
        self.init(
            step: report.step, batch: report.batch, gradient: report.checksums.gradient,
            parameters: report.checksums.parameters, loss: report.loss, tokens: report.tokens,
            shards: report.checksums.shards, parametersSHA256: parametersSHA256)
    }
}
