import ArgumentParser
import Foundation
import Sequences
import Training

/// `lockstep sample`: goes on with a prompt.
struct SampleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample", abstract: "Goes on with a prompt, using a trained run.")

    @Argument(help: ArgumentHelp("The run's directory.", valueName: "run"), completion: .directory)
    var directory: String

    @Option(help: "What the text begins with. Default: a newline, or the set's first symbol.")
    var prompt: String?

    @Option(parsing: .unconditional, help: "Symbols to draw.")
    var length = 500

    @Option(
        parsing: .unconditional, help: "Above 1 more surprising, below 1 less; 0 always takes the most likely symbol.")
    var temperature: Float = 1

    @Option(parsing: .unconditional, help: "Draw from this many of the most likely symbols only.")
    var topK: Int?

    @Option(parsing: .unconditional, help: "The same seed draws the same text, on any machine.")
    var seed: UInt64 = 0

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    func validate() throws {
        if length < 1 { throw ValidationError("--length \(length): expected a positive whole number") }
        if !(temperature >= 0 && temperature.isFinite) {
            throw ValidationError("--temperature \(temperature): expected 0 or a positive number")
        }
        if let topK, topK < 1 { throw ValidationError("--top-k \(topK): expected a positive whole number") }
    }

    func run() throws {
        let trained = try TrainedRun(path: directory)
        trained.notes.forEach(ExitStatus.say)
        let start = prompt ?? trained.defaultPrompt
        let tokens = try trained.vocabulary.encode(start, what: "--prompt")
        guard !tokens.isEmpty else { throw UsageError("--prompt '': expected at least one symbol") }
        if let answer = trained.transcription(of: tokens) {
            return try finish(start, answer, trained, separator: " -> ")
        }
        if !json { try show(start) }
        var drawn: [Int32] = []
        try Sampler(trained.model, settings: SamplingSettings(temperature: temperature, topK: topK, seed: seed))
            .run(prompt: tokens) { next in
                drawn.append(next[0])
                if !json, trained.vocabulary.mode == .characters { try show(trained.vocabulary.decode(next)) }
                return drawn.count < length && !trained.isOver(tokens + drawn)
            }
        if json {
            try finish(start, drawn, trained)
        } else {
            // Bytes make characters only together.
            if trained.vocabulary.mode == .bytes { try show(trained.vocabulary.decode(drawn)) }
            if drawn.last.map({ trained.vocabulary.decode([$0]) }) != "\n" { try show("\n") }
        }
    }

    private func finish(_ start: String, _ drawn: [Int32], _ trained: TrainedRun, separator: String = "") throws {
        let text = trained.vocabulary.decode(drawn)
        if json {
            try Output.writeLine(jsonLine(SampleResult(run: directory, prompt: start, text: text, seed: seed)))
        } else {
            try show(start + separator + text + "\n")
        }
    }

    private func show(_ text: String) throws { try Output.write(text) }
}

/// What `lockstep sample --json` prints.
struct SampleResult: Encodable {
    let run: String
    let prompt: String
    let text: String
    let seed: UInt64
}
