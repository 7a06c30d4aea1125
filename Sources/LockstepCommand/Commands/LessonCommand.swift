import ArgumentParser
import Interchange
import Layers
import Lessons
import TensorCore
import Training

/// `lockstep lesson`: the worked examples of a first RNN course.
struct LessonCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lesson",
        abstract: "Runs a worked example of a first RNN course: 'hello' in, 'ohlol' out.",
        discussion: """
            The lessons are \(lessons.map { $0.name }.joined(separator: ", ")); `all` runs them one after another. Each is a short Swift \
            file in Sources/Lessons, written to be copied from.
            """)

    @Argument(help: "The lesson, or all.")
    var name: String

    @Option(help: "Start from the parameters in this safetensors file.", completion: .file())
    var initial: String?

    @Option(parsing: .unconditional, help: "Learning rate. Default: the lesson's.")
    var lr: Double?

    @Option(parsing: .unconditional, help: "Passes over the only sequence.")
    var epochs = 15

    @Option(parsing: .unconditional, help: "Initial parameters follow from it. Default: the lesson's.")
    var seed: UInt64?

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    func run() throws {
        guard epochs >= 1, epochs <= 1_000_000 else {
            throw UsageError("--epochs \(epochs): expected a whole number from 1 to 1000000")
        }
        if let lr, !(lr > 0 && lr.isFinite) { throw UsageError("--lr \(lr): expected a positive number") }
        let chosen = lessons.filter { $0.name == name || name == "all" }
        guard !chosen.isEmpty else {
            throw UsageError("lesson '\(name)': \(Names(lessons.map { $0.name } + ["all"]).sentence(for: name))")
        }
        if let initial, seed != nil { throw UsageError("--initial \(initial) and --seed: expected one of the two") }
        if let initial, chosen.count > 1 {
            throw UsageError("--initial \(initial): expected the name of one lesson, not all")
        }
        let results = try chosen.map(result)
        if json, chosen.count == 1 {
            try Output.writeLine(jsonLine(results[0]))
        } else if json {
            try Output.writeLine(jsonLine(["lessons": results]))
        }
    }

    private func result(_ lesson: any Lesson.Type) throws -> LessonResult {
        if !json, name == "all" { try Output.writeLine("\(lesson.name): \(lesson.title)") }
        var failure: OutputError?
        do {
            let result = try lesson.run(epochs: epochs, learningRate: lr, seed: seed, initial: initialParameters()) {
                line in
                if !json, failure == nil {
                    do throws(OutputError) { try Output.writeLine(line) } catch { failure = error }
                }
            }
            if let failure { throw failure }
            return result
        } catch let error as StateDictError {
            throw UsageError("--initial \(initial ?? ""): \(error)")
        }
    }

    /// The tensors of the file; where some are called `initial.…`, those, without that.
    private func initialParameters() throws -> [String: Tensor]? {
        guard let initial else { return nil }
        do {
            let file = try SafetensorsFile(path: initial)
            let marked = file.names.filter { $0.hasPrefix("initial.") }
            let names = marked.isEmpty ? file.names : marked
            return Dictionary(
                try names.map { name in
                    (
                        marked.isEmpty ? name : String(name.dropFirst(8)),
                        Tensor(try file.finiteFloats(name), shape: file[name]?.shape ?? [])
                    )
                }, uniquingKeysWith: { first, _ in first })
        } catch {
            throw UsageError("--initial \(initial): \(error)")
        }
    }
}
