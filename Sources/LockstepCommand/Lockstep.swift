import ArgumentParser
import Cluster
import Foundation
import TensorCore
import Training

/// The `lockstep` command.
@main
struct Lockstep: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lockstep",
        abstract: "Trains recurrent networks on any number of processes, with the same bits from all of them.",
        discussion: """
            Try `lockstep train` for the built-in addition task, `lockstep train --data FILE` for a text of your own, \
            and add `--workers 2` to share the work. `lockstep COMMAND --help` explains each command.
            """,
        version: versionText,
        subcommands: [
            TrainCommand.self, CoordinatorCommand.self, WorkerCommand.self, ResumeCommand.self, SampleCommand.self,
            EvaluateCommand.self, VerifyCommand.self, DiffCommand.self, LessonCommand.self, BenchCommand.self,
            KeysCommand.self,
        ])

    /// `lockstep 0.1.0 (avx512; avx512, avx2 and portable available)`.
    static var versionText: String {
        let others = InstructionSet.available.map(\.rawValue).joined(separator: ", ")
        return "lockstep \(Release.version) (kernels: \(InstructionSet.active.rawValue); available: \(others))"
    }

    static func main() async {
        // A reader that goes away (`lockstep … | head`) is an ordinary end of output, found by write's result.
        signal(SIGPIPE, SIG_IGN)
        // Beyond `ulimit -f` a write fails with a reason, in place of a death without a word.
        signal(SIGXFSZ, SIG_IGN)
        endAtQuit()
        Output.occupyStandardDescriptors()
        do {
            try requireText()
            try selectInstructionSet()
            try CrashPoint.requireOrders()
            FloatingPointEnvironment.prepareThread()
            let words = Array(CommandLine.arguments.dropFirst())
            try requireCommand(words)
            var command = try parse(words)
            try RepeatedOptions.refuse(words)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            ExitStatus.exit(with: error)
        }
    }

    /// Lets Ctrl-\ (SIGQUIT) end this process as a kill does: Swift's runtime takes it for a crash, and explains that at length.
    private static func endAtQuit() {
        let before = unsafe unsafeBitCast(signal(SIGQUIT, SIG_DFL), to: Int.self)
        let ignored = unsafe unsafeBitCast(SIG_IGN, to: Int.self)
        // As for a command in the background of a script.
        if before == ignored { signal(SIGQUIT, SIG_IGN) }
    }

    /// Refuses arguments that are no text: what Swift makes of them is the name of another file.
    private static func requireText() throws {
        for place in 0..<Int(CommandLine.argc) {
            guard let argument = unsafe CommandLine.unsafeArgv[place],
                unsafe String(validatingCString: argument) == nil
            else { continue }
            let text = unsafe String(cString: argument)
            throw UsageError("argument \(place), '\(text)': not UTF-8; expected text, of file names too")
        }
    }

    /// Refuses a word that is no command in the place of one; the parser would only call it unexpected, or explain all of them.
    private static func requireCommand(_ words: [String]) throws {
        var words = words[...]
        let isHelp = words.first == "help"
        if isHelp { words = words.dropFirst() }
        var command: any ParsableCommand.Type = Lockstep.self
        var path = "command"
        while let word = words.popFirst(), !word.hasPrefix("-"), isHelp || word != "help" {
            let subcommands = command.configuration.subcommands
            guard !subcommands.isEmpty else { return }
            guard let next = subcommands.first(where: { $0.configuration.commandName == word }) else {
                let names = subcommands.compactMap { $0.configuration.commandName }
                throw UsageError("\(path) '\(word)': \(Names(names).sentence(for: word))")
            }
            (command, path) = (next, word)
        }
    }

    /// Of an option that is misspelt the parser says first that the right one is missing.
    private static func parse(_ words: [String]) throws -> any ParsableCommand {
        do { return try parseAsRoot() } catch {
            guard ParserSentence.isOfMissing(message(for: error)) else { throw error }
            let description = try CommandDescription(of: words)
            if let name = description.firstUnknown(in: words) {
                throw UsageError(ParserSentence.unknown(name, nearest: Names(description.shownNames).nearest(to: name)))
            }
            throw error
        }
    }

    /// `LOCKSTEP_ISA` names the kernels to use, for comparing them; they all give the same bits.
    private static func selectInstructionSet() throws {
        guard let name = ProcessInfo.processInfo.environment["LOCKSTEP_ISA"], !name.isEmpty else { return }
        do { try InstructionSet.select(name) } catch {
            // One that there is, on other processors, is no slip of the hand.
            let near =
                InstructionSet(rawValue: name) == nil
                ? Names(error.available.map(\.rawValue)).nearest(to: name).map { "; did you mean \($0)?" } : nil
            throw UsageError("LOCKSTEP_ISA: \(error)\(near ?? "")")
        }
    }
}
