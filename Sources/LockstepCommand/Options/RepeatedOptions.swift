import ArgumentParser
import Foundation

/// Options that were given twice with different values, of which the parser would silently take the last.
enum RepeatedOptions {
    /// Refuses a command line, which the parser has understood, in which one option has two values.
    static func refuse(_ words: [String]) throws {
        let words = Array(words.prefix { $0 != "--" })
        // Rare: what takes a value is found out only where a name is there twice.
        let names = words.filter { $0.hasPrefix("--") }.map(name)
        guard Set(names).count < names.count else { return }
        let takingValues = try optionsTakingValues(of: words)
        var values: [String: String] = [:]
        var place = 0
        while place < words.count {
            let (word, name) = (words[place], name(words[place]))
            place += 1
            guard takingValues.contains(name) else { continue }
            let value: String
            if let equals = word.firstIndex(of: "=") {
                value = String(word[word.index(after: equals)...])
            } else {
                guard place < words.count else { return }
                value = words[place]
                place += 1
            }
            guard let before = values.updateValue(value, forKey: name), before != value else { continue }
            throw UsageError("\(name) \(before) and \(name) \(value): expected one of the two")
        }
    }

    /// `--steps` of `--steps=3`.
    private static func name(_ word: String) -> String { String(word.prefix { $0 != "=" }) }

    /// The options of a command that have one value each.
    private static func optionsTakingValues(of words: [String]) throws -> Set<String> {
        let tool = try JSONDecoder().decode(Tool.self, from: Data(Lockstep._dumpHelp().utf8))
        var command = tool.command
        for word in words {
            guard let next = command.subcommands?.first(where: { $0.commandName == word }) else { break }
            command = next
        }
        let options = (command.arguments ?? []).filter { $0.kind == "option" && !$0.isRepeating }
        return Set(options.flatMap { $0.names ?? [] }.filter { $0.kind == "long" }.map { "--\($0.name)" })
    }

    /// What the parser says of the command, as `--experimental-dump-help` prints it.
    private struct Tool: Decodable {
        let command: Command

        struct Command: Decodable {
            let commandName: String
            let subcommands: [Command]?
            let arguments: [Argument]?
        }
        struct Argument: Decodable {
            let kind: String
            let isRepeating: Bool
            let names: [Name]?
        }
        struct Name: Decodable {
            let kind: String
            let name: String
        }
    }
}
