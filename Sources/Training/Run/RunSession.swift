internal import Coordination
internal import Foundation
package import Sequences
internal import TensorCore

/// A run that is being trained: what is written after each step, validated now and then, and said in the end.
///
/// The mathematics is the trainer's and the gradients are computed wherever the caller lets them be; everything here happens
/// between two steps.
package final class RunSession {
    package let trainer: Trainer
    package let record: RunRecord
    package let held: HeldRun
    private let ledger: LedgerWriter
    private let metrics: MetricsWriter
    private let observer: any ProgressObserver
    /// Threads that validation may use.
    private let threads: Int
    private var pace: Pace
    private var validation: Validation?
    private var score: Score?
    private var lastLoss: Double?
    private var hasDiverged = false

    private init(
        trainer: Trainer, record: RunRecord, held: HeldRun, resumption: Resumption, observer: any ProgressObserver,
        threads: Int
    ) {
        self.trainer = trainer
        self.record = record
        self.held = held
        ledger = resumption.ledger
        metrics = resumption.metrics
        self.observer = observer
        self.threads = threads
        pace = Pace(done: trainer.step, of: trainer.configuration.steps)
        for note in held.notes + resumption.notes { observer.note(note) }
    }

    package var path: String { held.directory.path }

    /// Begins a new run in a directory that is empty or not there yet.
    package static func begin(
        at path: String, configuration: RunConfiguration, source: any SequenceSource, observer: any ProgressObserver,
        threads: Int
    ) throws -> RunSession {
        var random = SystemRandomNumberGenerator()
        let record = RunRecord(
            runID: RunID.random(using: &random).description, configuration: configuration, source: source)
        let held = try RunDirectory.create(at: path, configuration: record)
        return RunSession(
            trainer: Trainer(configuration, source: source), record: record, held: held, resumption: try held.resume(),
            observer: observer, threads: threads)
    }

    /// Goes on with a run from its newest checkpoint that verifies.
    ///
    /// - Throws: `ConfigurationError` when the data is not what the run began with.
    package static func resume(
        at path: String, observer: any ProgressObserver, threads: Int
    ) throws -> RunSession {
        let directory = try RunDirectory(path)
        let record = try directory.configuration(as: RunRecord.self)
        let source = try record.openSource(of: path)
        let held = try directory.hold()
        let resumption = try held.resume()
        let trainer = Trainer(record.configuration, source: source)
        if let checkpoint = resumption.checkpoint { try trainer.restore(checkpoint) }
        return RunSession(
            trainer: trainer, record: record, held: held, resumption: resumption, observer: observer, threads: threads)
    }

    /// Writes down what a step did.
    ///
    /// - Parameter workers: live workers; nil in a process that trains alone.
    /// - Returns: what takes long, when it is time for it: validation and a checkpoint. The next step begins after it.
    package func stepDone(_ report: StepReport, workers: Int? = nil) throws -> FollowUp? {
        let trained = pace.stepDone(tokens: trainer.configuration.batchSize * trainer.configuration.seqLen)
        lastLoss = report.loss
        if !report.loss.isFinite, !hasDiverged {
            hasDiverged = true
            observer.note("step \(report.step): the loss is \(report.loss); a lower --lr or --clip-norm may help")
        }
        _ = try ledger.append(
            LedgerEntry(
                report,
                parametersSHA256: trainer.isCheckpointStep ? parametersSHA256(trainer.computer.model.namedTensors) : nil
            ))
        let configuration = trainer.configuration
        let validates = report.step % configuration.validationEvery == 0 || trainer.isDone
        let saves = trainer.isCheckpointStep
        func conclude(isValidated: Bool) throws {
            if validates || report.step % max(1, configuration.steps / 1000) == 0 {
                try metrics.append(
                    MetricsRecord(report, validation: isValidated ? validation : nil, score: isValidated ? score : nil))
            }
            if saves { try save() }
            observer.progressed(
                RunProgress(
                    step: report.step, steps: configuration.steps, loss: pace.smoothed(report.loss),
                    validationLoss: validation?.loss, score: score, tokensPerSecond: trained.recentRate,
                    timeLeft: trained.left, workers: workers))
            pace.resume()
        }
        guard validates || saves else {
            try conclude(isValidated: false)
            return nil
        }
        return { shouldStop in
            try conclude(isValidated: validates && self.validate(shouldStop))
        }
    }

    /// Work between two steps; asks now and then whether to leave off a validation.
    package typealias FollowUp = (_ shouldStop: @escaping @Sendable () -> Bool) throws -> Void

    /// Writes a checkpoint of the state after the last step, unless there is one.
    package func save() throws {
        guard lastSaved != trainer.step, trainer.step > 0 else { return }
        try held.writeCheckpoint(trainer.checkpointFiles(), after: ledger)
        lastSaved = trainer.step
    }
    private var lastSaved: UInt64?

    /// - Returns: whether there is a new value: not where nothing is held out, nor where it was left off.
    private func validate(_ shouldStop: @escaping @Sendable () -> Bool) -> Bool {
        let batches = trainer.source.validation
        guard batches.count > 0,
            let result = Validation.run(trainer.computer.model, on: batches, threads: threads, shouldStop: shouldStop)
        else { return false }
        validation = result
        score = Scoring.score(trainer.computer.model, on: trainer.configuration.data, validation: result)
        return true
    }

    /// What the run came to when it ended, of one that is done; nil when nothing says so.
    package var storedSummary: RunSummary? { trainer.isDone ? try? held.directory.summary() : nil }

    /// Saves what the run came to and writes `summary.json`.
    package func finish(workersSeen: Int = 0, workersLost: Int = 0) throws -> RunSummary {
        try save()
        observer.close()
        let summary = RunSummary(
            run: path, steps: trainer.step, trainLoss: lastLoss, validationLoss: validation?.loss,
            tokensPerSecond: pace.rate, seconds: pace.seconds, parameters: trainer.computer.layout.count,
            parametersSHA256: parametersSHA256(trainer.computer.model.namedTensors), ledgerHead: ledger.head,
            workersSeen: workersSeen, workersLost: workersLost, score: score?.value, scoreName: score?.name)
        try held.writeSummary(summary)
        return summary
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

/// One line of `metrics.jsonl`.
private struct MetricsRecord: Encodable {
    let step: UInt64
    let loss: Double
    let learningRate: Float
    let gradientNorm: Float
    let validationLoss: Double?
    let score: Double?
    let scoreName: String?

    private enum CodingKeys: String, CodingKey {
        case step, loss, score
        case learningRate = "learning_rate"
        case gradientNorm = "gradient_norm"
        case validationLoss = "validation_loss"
        case scoreName = "score_name"
    }

    init(_ report: StepReport, validation: Validation?, score: Score?) {
        step = report.step
        loss = report.loss
        learningRate = report.learningRate
        gradientNorm = report.gradientNorm
        validationLoss = validation?.loss
        self.score = score?.value
        scoreName = score?.name
    }
}
