import ArgumentParser
import Foundation

/// The options of the command that a command line names, as `--experimental-dump-help` prints them.
struct CommandDescription {
    private let options: [Argument]

    /// - Parameter words: the command line without the name of the program.
    init(of words: [String]) throws {
        let tool = try JSONDecoder().decode(Tool.self, from: Data(Lockstep._dumpHelp().utf8))
        var command = tool.command
        for word in words {
            guard let next = command.subcommands?.first(where: { $0.commandName == word }) else { break }
            command = next
        }
        options = (command.arguments ?? []).filter { $0.kind != "positional" }
    }

    /// `--lr`, `--json`, those included that `--help` does not list.
    var names: [String] { Self.longNames(options) }

    /// What `--help` lists.
    var shownNames: [String] { Self.longNames(options.filter(\.shouldDisplay)) }

    /// Those that have one value each.
    var namesTakingValues: Set<String> {
        Set(Self.longNames(options.filter { $0.kind == "option" && !$0.isRepeating }))
    }

    /// The first word that is written as an option and is none, if any; the values of others are no such words.
    func firstUnknown(in words: [String]) -> String? {
        let (known, taking) = (Set(names), namesTakingValues)
        var words = words.prefix { $0 != "--" }
        while let word = words.popFirst() {
            guard word.hasPrefix("--") else { continue }
            let name = Self.name(of: word)
            guard known.contains(name) else { return name }
            if taking.contains(name), name == word { _ = words.popFirst() }
        }
        return nil
    }

    /// `--steps` of `--steps=3`.
    static func name(of word: String) -> String { String(word.prefix { $0 != "=" }) }

    private static func longNames(_ arguments: [Argument]) -> [String] {
        arguments.flatMap { $0.names ?? [] }.filter { $0.kind == "long" }.map { "--\($0.name)" }
    }

    private struct Tool: Decodable {
        let command: Command
    }

    private struct Command: Decodable {
        let commandName: String
        let subcommands: [Command]?
        let arguments: [Argument]?
    }

    private struct Argument: Decodable {
        let kind: String
        let isRepeating: Bool
        let shouldDisplay: Bool
        let names: [Name]?
    }

    private struct Name: Decodable {
        let kind: String
        let name: String
    }
}
