import ArgumentParser
import Foundation
import Training

/// `lockstep verify`: recomputes steps of a run against its ledger.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Recomputes steps of a run in this process and holds them against its directory.",
        discussion: """
            Every line of the ledger, every checkpoint that is kept, every record of metrics.jsonl, the summary and `latest` must be \
            what comes of computing the run again, and the ledger must reach as far as any of them; run.json must be what the run began \
            with. With --steps only these steps are \
            recomputed, from the checkpoint before the first of them, and nothing is said of the others.
            Says that all are identical, or names the first step, layer and shard, or file, that differs and ends with exit code 1; with \
            exit code 2 where lines of the ledger are damaged or lost and all else is identical. Nothing is written; a run that is being trained \
            can be verified too.
            """)

    @Argument(help: ArgumentHelp("The run's directory.", valueName: "run"), completion: .directory)
    var directory: String

    @Option(help: "Which steps, as 200..300 or 200. Default: all.")
    var steps: String?

    @Option(parsing: .unconditional, help: "Threads of this process. Default: one for each core.")
    var threads: Int?

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    func run() throws {
        var options = RunOptions()
        options.threads = threads
        let verification = try RunVerification(
            path: directory, steps: steps.map(Self.range), threads: options.resolveThreads())
        let clock = ContinuousClock()
        var lastShown = clock.now
        let result = try verification.run { step, last in
            guard clock.now - lastShown > .seconds(5) else { return }
            lastShown = clock.now
            Output.tell("step \(step)/\(last)")
        }
        result.notes.forEach(ExitStatus.say)
        if json {
            try Output.writeLine(jsonLine(VerificationReport(result)))
        } else if result.finding != nil || result.damages.isEmpty {
            try Output.writeSentence(result.finding ?? Self.text(result))
        }
        guard result.finding == nil else { throw ExitCode(ExitStatus.failed) }
        guard result.damages.isEmpty else {
            throw UsageError("\(result.damages.joined(separator: "; ")); all else is \(Self.text(result))")
        }
    }

    private static func range(_ text: String) throws -> ClosedRange<UInt64> {
        let ends = text.components(separatedBy: "..")
        guard let first = ends.first.flatMap(UInt64.init), let last = ends.last.flatMap(UInt64.init), ends.count <= 2,
            first >= 1, first <= last
        else { throw UsageError("--steps '\(text)': expected FIRST..LAST, or one step, counted from 1") }
        return first...last
    }

    private static func text(_ result: VerificationResult) -> String {
        let (first, last) = (result.steps.lowerBound, result.steps.upperBound)
        let begin = result.checkpoint == 0 ? "" : " from the checkpoint of step \(result.checkpoint)"
        var compared = [counted(result.checkpointsCompared, "checkpoint")]
        if result.metricsCompared > 0 { compared.append(counted(result.metricsCompared, "record") + " of metrics") }
        if result.summaryCompared { compared.append("the summary") }
        let list =
            compared.count == 1
            ? compared[0] : compared.dropLast().joined(separator: ", ") + " and " + compared[compared.count - 1]
        var text = "identical: steps \(first) to \(last) recomputed\(begin), \(list) compared"
        if !result.isWhole {
            text +=
                "; nothing is said of the other \(max(result.ledgerSteps, last) - (last - first + 1)) steps of the ledger"
        } else if last < result.runSteps {
            text += "; the run is to have \(result.runSteps) steps"
        }
        return text
    }

    private static func counted(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }
}

/// What `lockstep verify --json` prints.
private struct VerificationReport: Encodable {
    let run: String
    let identical: Bool
    let firstStep: UInt64
    let lastStep: UInt64
    let fromCheckpoint: UInt64
    /// Whether these are all steps of the ledger, so that it was held against the whole directory.
    let whole: Bool
    let ledgerSteps: UInt64
    let runSteps: UInt64
    let checkpointsCompared: Int
    let metricsCompared: Int
    let summaryCompared: Bool
    /// The first difference, in one line.
    let sentence: String?
    /// Damaged places of the ledger.
    let damages: [String]
    let differingCheckpoint: UInt64?
    let difference: DifferenceReport?

    init(_ result: VerificationResult) {
        run = result.run
        identical = result.isIdentical
        firstStep = result.steps.lowerBound
        lastStep = result.steps.upperBound
        fromCheckpoint = result.checkpoint
        whole = result.isWhole
        ledgerSteps = result.ledgerSteps
        runSteps = result.runSteps
        checkpointsCompared = result.checkpointsCompared
        metricsCompared = result.metricsCompared
        summaryCompared = result.summaryCompared
        sentence = result.finding
        damages = result.damages
        differingCheckpoint = result.differingCheckpoint
        difference = result.difference.map(DifferenceReport.init)
    }
}

/// A difference between two lines of the ledger, as JSON.
struct DifferenceReport: Encodable {
    let step: UInt64
    let batch: Bool
    let shards: [Int]
    let layers: [String]
    let gradients: [String]
    let parameters: [String]
    let loss: Bool
    let tokens: Bool
    let sentence: String

    init(_ difference: LedgerDifference) {
        step = difference.step
        batch = difference.batchDiffers
        shards = difference.shards
        layers = difference.layers
        gradients = difference.gradients
        parameters = difference.parameters
        loss = difference.lossDiffers
        tokens = difference.tokensDiffer
        sentence = difference.sentence
    }
}
