import ArgumentParser
import Training

/// `lockstep diff`: the first step in which two runs differ.
struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Finds the first step in which two runs differ.",
        discussion: """
            The ledgers are compared as far as both go. Says that they are identical, or names the first step, layer and shard \
            that differ and ends with exit code 1; with exit code 2 where lines of a ledger are damaged or lost and all that hold in both are \
            identical.
            """)

    @Argument(help: ArgumentHelp("One run's directory.", valueName: "run-a"), completion: .directory)
    var left: String

    @Argument(help: ArgumentHelp("The other's.", valueName: "run-b"), completion: .directory)
    var right: String

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    func run() throws {
        let comparison = try RunComparison(left, right)
        if json {
            try Output.writeLine(jsonLine(ComparisonReport(left, right, comparison)))
        } else if comparison.difference != nil || comparison.damages.isEmpty {
            for setting in comparison.settings { Output.tell("settings differ in \(setting)") }
            try Output.writeSentence(text(comparison))
        }
        guard comparison.difference == nil else { throw ExitCode(ExitStatus.failed) }
        guard comparison.damages.isEmpty else {
            throw UsageError("\(comparison.damages.joined(separator: "; ")); \(textOfUndamaged(comparison))")
        }
        if !comparison.isIdentical { throw ExitCode(ExitStatus.failed) }
    }

    private func textOfUndamaged(_ comparison: RunComparison) -> String {
        comparison.compared == 0
            ? "no line that holds in both" : "identical: all \(comparison.compared) steps whose lines hold in both"
    }

    private func text(_ comparison: RunComparison) -> String {
        if let difference = comparison.difference { return difference.sentence }
        let (first, second) = comparison.steps
        let common = min(first, second)
        if comparison.compared == 0 { return "no step in common: \(left) has \(first) steps, \(right) has \(second)" }
        let rest = first == second ? "" : "; \(first > second ? left : right) goes on to step \(max(first, second))"
        return "identical: steps 1 to \(common)\(rest)"
    }
}

/// What `lockstep diff --json` prints.
private struct ComparisonReport: Encodable {
    let runA: String
    let runB: String
    let identical: Bool
    let stepsA: UInt64
    let stepsB: UInt64
    let settings: [String]
    let difference: DifferenceReport?
    /// Steps whose lines hold in both.
    let stepsCompared: UInt64
    /// Damaged places of either ledger.
    let damages: [String]

    init(_ left: String, _ right: String, _ comparison: RunComparison) {
        (runA, runB) = (left, right)
        identical = comparison.isIdentical
        (stepsA, stepsB) = comparison.steps
        settings = comparison.settings
        stepsCompared = comparison.compared
        damages = comparison.damages
        difference = comparison.difference.map(DifferenceReport.init)
    }
}
