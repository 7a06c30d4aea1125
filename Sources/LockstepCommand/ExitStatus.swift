import ArgumentParser
import Cluster
import Foundation
import Interchange
import Sequences
import Training

/// Wrong usage or unusable input: one line that says what, where, and what was expected.
struct UsageError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// How a command ends: 0 done, 1 failed, 2 bad usage or input, 3 refused by the peer, 4 the run is held by another process,
/// 130 and 143 stopped by a signal after a clean checkpoint.
enum ExitStatus {
    static let failed: Int32 = 1
    static let usage: Int32 = 2
    static let refused: Int32 = 3
    static let held: Int32 = 4

    /// Prints what is to be said about an error and ends the process.
    static func exit(with error: any Error) -> Never {
        switch error {
        case let code as ExitCode:
            Foundation.exit(code.rawValue)
        case let error as OutputError where error.isClosedPipe: Foundation.exit(0)
        case is CleanExit:
            finish(with: Lockstep.fullMessage(for: error))
        default:
            // Help and version come as errors too, with success as their code.
            if Lockstep.exitCode(for: error) == .success {
                finish(with: Lockstep.fullMessage(for: error))
            }
            say(sentence(for: error))
            Foundation.exit(code(for: error))
        }
    }

    private static func finish(with text: String) -> Never {
        do {
            try Output.writeLine(text)
            Foundation.exit(0)
        } catch { exit(with: error) }
    }

    static func code(for error: any Error) -> Int32 {
        switch error {
        case is UsageError, is ConfigurationError, is SequenceError, is SafetensorsError: usage
        case let error as RunError: runErrorCode(error)
        case let error as ClusterError: error.exitCode
        default: Lockstep.exitCode(for: error) == .validationFailure ? usage : failed
        }
    }

    private static func runErrorCode(_ error: RunError) -> Int32 {
        switch error.code {
        case .held: held
        default: error.isBadInput ? usage : failed
        }
    }

    private static func sentence(for error: any Error) -> String {
        Lockstep.exitCode(for: error) == .validationFailure
            ? ParserSentence.reworded(Lockstep.message(for: error), of: Array(CommandLine.arguments.dropFirst()))
            : String(describing: error)
    }

    /// One line for people, on standard error.
    static func say(_ sentence: String) { Output.tell("lockstep: \(sentence)") }
}
