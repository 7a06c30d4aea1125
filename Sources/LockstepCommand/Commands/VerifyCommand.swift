import ArgumentParser
import Foundation
import Training

/// `lockstep verify`: recomputes steps of a run against its ledger.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Recomputes steps of a run in this process and holds them against its ledger.",
        discussion: """
            Without --steps every step is recomputed from the beginning; with it, from the checkpoint before the first of them. \
            Says that all are identical, or names the first step, layer and shard that differ and ends with exit code 1. \
            Nothing is written; a run that is being trained can be verified too.
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
            Output.tell("step \(step)/\(last)\n")
        }
        result.notes.forEach(ExitStatus.say)
        if json {
            try Output.writeLine(jsonLine(VerificationReport(result)))
        } else {
            try Output.writeLine(Self.text(result))
        }
        if !result.isIdentical { throw ExitCode(ExitStatus.failed) }
    }

    private static func range(_ text: String) throws -> ClosedRange<UInt64> {
        let ends = text.components(separatedBy: "..")
        guard let first = ends.first.flatMap(UInt64.init), let last = ends.last.flatMap(UInt64.init), ends.count <= 2,
            first >= 1, first <= last
        else { throw UsageError("--steps '\(text)': expected FIRST..LAST, or one step, counted from 1") }
        return first...last
    }

    private static func text(_ result: VerificationResult) -> String {
        if let difference = result.difference { return difference.sentence }
        if let step = result.differingCheckpoint {
            return "step \(step): the ledger is identical, but the checkpoint holds other parameters"
        }
        let (first, last) = (result.steps.lowerBound, result.steps.upperBound)
        let begin = result.checkpoint == 0 ? "" : " from the checkpoint of step \(result.checkpoint)"
        let compared =
            result.checkpointsCompared == 1 ? "1 checkpoint" : "\(result.checkpointsCompared) checkpoints"
        return "identical: steps \(first) to \(last) recomputed\(begin), \(compared) compared"
    }
}

/// What `lockstep verify --json` prints.
private struct VerificationReport: Encodable {
    let run: String
    let identical: Bool
    let firstStep: UInt64
    let lastStep: UInt64
    let fromCheckpoint: UInt64
    let checkpointsCompared: Int
    let differingCheckpoint: UInt64?
    let difference: DifferenceReport?

    init(_ result: VerificationResult) {
        run = result.run
        identical = result.isIdentical
        firstStep = result.steps.lowerBound
        lastStep = result.steps.upperBound
        fromCheckpoint = result.checkpoint
        checkpointsCompared = result.checkpointsCompared
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
