internal import Foundation

/// What `summary.json` and `--json` say about a run that ended.
package struct RunSummary: Codable, Sendable, Equatable {
    /// The run's directory.
    package var run: String
    package var steps: UInt64
    /// Mean loss a token, in nats; null when nothing was trained.
    package var trainLoss: Double?
    /// Null when nothing was validated.
    package var validationLoss: Double?
    package var tokensPerSecond: Double
    package var seconds: Double
    /// How many numbers the model has.
    package var parameters: Int
    package var parametersSHA256: String
    package var ledgerHead: String
    /// Over the whole run, whoever held it: a worker that comes to the next coordinator is one more.
    package var workersSeen: Int
    package var workersLost: Int
    /// Answers that were computed twice on purpose, and workers whose answer was wrong, likewise; left out by earlier versions.
    package var audited: Int?
    package var outvoted: Int?
    /// How many processes have held the run, this one included; left out by earlier versions.
    package var incarnations: UInt64?
    /// Messages and handshakes that the last coordinator rejected, by kind; left out of runs without workers.
    package var rejected: [String: Int]?
    /// The share that `scoreName` counts, 0 to 1; left out, as the name is, when the data has no score.
    package var score: Double?
    package var scoreName: String?
    /// From the start of the process to the end of its first step; left out when it made none.
    package var firstStepMilliseconds: Double?

    package enum CodingKeys: String, CodingKey {
        case run, steps, seconds, parameters, score, audited, outvoted, rejected, incarnations
        case trainLoss = "train_loss"
        case validationLoss = "validation_loss"
        case tokensPerSecond = "tokens_per_second"
        case parametersSHA256 = "parameters_sha256"
        case ledgerHead = "ledger_head"
        case workersSeen = "workers_seen"
        case workersLost = "workers_lost"
        case scoreName = "score_name"
        case firstStepMilliseconds = "first_step_ms"
    }

    package init(
        run: String, steps: UInt64, trainLoss: Double?, validationLoss: Double?, tokensPerSecond: Double,
        seconds: Double,
        parameters: Int, parametersSHA256: String, ledgerHead: String, workersSeen: Int = 0, workersLost: Int = 0,
        audited: Int? = nil, outvoted: Int? = nil, incarnations: UInt64? = nil,
        score: Double? = nil, scoreName: String? = nil, firstStepMilliseconds: Double? = nil,
        rejected: [String: Int]? = nil
    ) {
        self.rejected = rejected
        self.run = run
        self.steps = steps
        self.trainLoss = trainLoss
        self.validationLoss = validationLoss
        self.tokensPerSecond = tokensPerSecond
        self.seconds = seconds
        self.parameters = parameters
        self.parametersSHA256 = parametersSHA256
        self.ledgerHead = ledgerHead
        self.workersSeen = workersSeen
        self.workersLost = workersLost
        self.audited = audited
        self.outvoted = outvoted
        self.incarnations = incarnations
        self.score = score
        self.scoreName = scoreName
        self.firstStepMilliseconds = firstStepMilliseconds
    }

    package func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(run, forKey: .run)
        try members.encode(steps, forKey: .steps)
        // `encode` and not `encodeIfPresent`: a reader finds every member that is promised, some of them null.
        try members.encode(trainLoss, forKey: .trainLoss)
        try members.encode(validationLoss, forKey: .validationLoss)
        try members.encode(tokensPerSecond, forKey: .tokensPerSecond)
        try members.encode(seconds, forKey: .seconds)
        try members.encode(parameters, forKey: .parameters)
        try members.encode(parametersSHA256, forKey: .parametersSHA256)
        try members.encode(ledgerHead, forKey: .ledgerHead)
        try members.encode(workersSeen, forKey: .workersSeen)
        try members.encode(workersLost, forKey: .workersLost)
        try members.encodeIfPresent(audited, forKey: .audited)
        try members.encodeIfPresent(outvoted, forKey: .outvoted)
        try members.encodeIfPresent(incarnations, forKey: .incarnations)
        try members.encodeIfPresent(rejected, forKey: .rejected)
        try members.encodeIfPresent(score, forKey: .score)
        try members.encodeIfPresent(scoreName, forKey: .scoreName)
        try members.encodeIfPresent(firstStepMilliseconds, forKey: .firstStepMilliseconds)
    }

    /// One JSON object and a newline: what `summary.json` holds and `--json` prints.
    package func json() throws(RunError) -> String {
        String(decoding: try JSONText.encode(self, .pretty, as: "the summary"), as: UTF8.self)
    }
}
