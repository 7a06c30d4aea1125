import ArgumentParser
import Foundation
import Layers
import Sequences
import TensorCore
import Training

/// `lockstep evaluate`: the loss of a trained run.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measures a trained run on what was held out, or on a text file.",
        discussion: """
            A file is read in one pass with carried state. The loss is the mean over its symbols after the first, in nats; \
            perplexity is e to that power.
            """)

    @Argument(help: ArgumentHelp("The run's directory.", valueName: "run"), completion: .directory)
    var directory: String

    @Option(help: "A text file; the run's own held-out part when left out.", completion: .file())
    var data: String?

    @Option(help: "What the factors of matrix products are rounded to: fp32 or bf16. Default: as in training.")
    var precision: String?

    @Option(parsing: .unconditional, help: "Threads.")
    var threads = 2

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    func run() throws {
        guard threads > 0, threads <= 1024 else {
            throw UsageError("--threads \(threads): expected a whole number from 1 to 1024")
        }
        if data?.isEmpty == true { throw UsageError("--data '': expected a text file") }
        let precision = try choice(precision, "--precision", Precision.self)
        let trained = try TrainedRun(path: directory)
        if let precision { trained.model.setPrecision(precision) }
        trained.notes.forEach(ExitStatus.say)
        let result: EvaluationResult
        if let data {
            let text = try Text(TextFile.read(data), vocabulary: trained.vocabulary)
            guard text.count > 1 else {
                throw UsageError(
                    "\(data): \(text.count) symbol; expected at least two, of which the second can be predicted")
            }
            let evaluation = trained.evaluate(text)
            result = EvaluationResult(
                run: directory, data: data, loss: evaluation.loss, tokens: evaluation.tokens, score: nil)
        } else {
            let source = try trained.record.openSource(of: directory)
            let validation = Validation.run(trained.model, on: source.validation, threads: threads)
            result = EvaluationResult(
                run: directory, data: source.name, loss: validation.loss, tokens: validation.tokens,
                score: Scoring.score(trained.model, on: trained.configuration.data, validation: validation))
        }
        if json {
            try Output.writeLine(jsonLine(result))
        } else {
            let score = result.score.map { ", \($0.name) \(decimal($0.value * 100, 2)) %" } ?? ""
            try Output.writeSentence(
                "\(result.data): loss \(decimal(result.loss, 4)) nats, perplexity \(decimal(result.perplexity, 3)), \(grouped(Double(result.tokens))) symbols\(score)"
            )
        }
    }
}

/// What `lockstep evaluate --json` prints.
struct EvaluationResult: Encodable {
    let run: String
    let data: String
    let loss: Double
    let tokens: Int
    let score: Score?
    var perplexity: Double { exp(loss) }

    private enum CodingKeys: CodingKey { case run, data, loss, tokens, score, scoreName, perplexity }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(run, forKey: .run)
        try container.encode(data, forKey: .data)
        try container.encode(loss, forKey: .loss)
        try container.encode(perplexity, forKey: .perplexity)
        try container.encode(tokens, forKey: .tokens)
        try container.encodeIfPresent(score?.value, forKey: .score)
        try container.encodeIfPresent(score?.name, forKey: .scoreName)
    }
}
