import Foundation
import Training

/// What the parser says of a command line, in the form that all other sentences have: what, where, what was expected.
enum ParserSentence {
    /// - Parameter words: the command line that it is said of.
    static func reworded(_ message: String, of words: [String]) -> String {
        if let (value, option) = quoted(message, "The value '", "' is invalid for '") {
            return "\(name(option)) '\(value)': expected \(expectation(name(option), value))"
        }
        if let (option, _) = quoted(message, "Missing value for '", "'") {
            let flag = name(option)
            return "\(flag): expected \(expectation(flag, "")) after it\(hint(flag, words))"
        }
        if let (argument, _) = quoted(message, missing, "'") {
            let isOption = argument.hasPrefix("-")
            return "\(isOption ? name(argument) : "argument \(argument)"): missing; --help says what is expected"
        }
        if let (argument, _) = quoted(message, "Unexpected argument '", "'") {
            return "argument '\(argument)': expected none here"
        }
        if let (count, arguments) = parts(message, " unexpected arguments: "), count.allSatisfy(\.isNumber) {
            return "arguments \(arguments): expected none here"
        }
        if let (option, rest) = quoted(message, "The option '", "' does not take any value, but '"),
            let (value, _) = parts(rest, "' was specified.")
        {
            return "\(option) '\(value)': expected no value"
        }
        if let (before, option) = parts(message, "Invalid option: "), before.isEmpty {
            return unknown(option, nearest: nil)
        }
        if let (option, rest) = quoted(message, "Unknown option '", "'") {
            // The parser finds a nearest name for everything; only a slip of the hand is worth a question.
            let near = quoted(rest, ". Did you mean '", "'").flatMap { Names([$0.0]).nearest(to: option) }
            return unknown(option, nearest: near)
        }
        return message
    }

    /// Whether the parser misses something.
    static func isOfMissing(_ message: String) -> Bool { message.hasPrefix(missing) }

    /// Of an option that is none, and the one that was meant, if it can be told.
    static func unknown(_ option: String, nearest: String?) -> String {
        "\(option): no such option; \(nearest.map { "did you mean \($0)?" } ?? "expected one that --help lists")"
    }

    private static let missing = "Missing expected argument '"

    /// The parser takes what begins with "-" for an option, not for a value; how it is given as one.
    private static func hint(_ option: String, _ words: [String]) -> String {
        guard let place = words.firstIndex(of: option), place + 1 < words.count,
            case let value = words[place + 1], value.hasPrefix("-"), !value.hasPrefix("--")
        else { return "" }
        return "; one that begins with '-' is given as \(option)=\(value.quotedForShell)"
    }

    /// What stands before and behind the last mark, if it is there.
    private static func parts(_ text: String, _ mark: String) -> (before: String, behind: String)? {
        text.range(of: mark, options: .backwards).map {
            (String(text[..<$0.lowerBound]), String(text[$0.upperBound...]))
        }
    }

    /// The text between two marks and what follows the second, if the message begins with the first.
    private static func quoted(_ message: String, _ opening: String, _ closing: String) -> (String, String)? {
        guard message.hasPrefix(opening) else { return nil }
        let content = message.dropFirst(opening.count)
        // A value may hold quotation marks of its own; the last ones are the parser's, but for those of a question.
        let isQuestion = content.contains("'. Did you mean '")
        let options: String.CompareOptions = isQuestion ? [] : .backwards
        guard let end = content.range(of: closing, options: options) else { return nil }
        let rest = String(content[end.upperBound...])
        return (String(content[..<end.lowerBound]), rest)
    }

    /// `--lr` of `--lr <lr>` or `--lr <lr>'`.
    private static func name(_ option: String) -> String {
        option.prefix { $0 != " " && $0 != "'" }.description
    }

    private static let wholeNumbers: Set<String> = [
        "--batch-size", "--checkpoint-every", "--embedding-dim", "--epochs", "--hidden-size", "--keep-checkpoints",
        "--length",
        "--num-layers", "--seed", "--seq-len", "--shards", "--shortest", "--steps", "--threads", "--top-k",
        "--validation-every",
        "--warmup-steps", "--workers",
    ]
    /// Those that may be 0.
    private static let fromZero: Set<String> = ["--seed", "--warmup-steps", "--workers"]
    /// Those of 64 bits without a sign, in every command that has them.
    private static let reachingFurthest: Set<String> = [
        "--checkpoint-every", "--seed", "--validation-every", "--warmup-steps",
    ]
    private static let numbers: Set<String> = [
        "--clip-norm", "--dropout", "--fallback-after", "--lr", "--min-lr-factor", "--momentum", "--temperature",
        "--weight-decay",
    ]

    private static func expectation(_ option: String, _ value: String) -> String {
        if numbers.contains(option) { return "a number" }
        guard wholeNumbers.contains(option) else { return "a value" }
        // Written as one, and yet refused: it fits no machine word.
        if !value.isEmpty, value.allSatisfy({ $0.isASCII && $0.isNumber }) {
            return "a whole number below 2^\(reachingFurthest.contains(option) ? 64 : 63)"
        }
        return fromZero.contains(option) ? "a whole number, 0 or more" : "a positive whole number"
    }
}
