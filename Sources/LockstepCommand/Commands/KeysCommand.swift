import ArgumentParser
import Cluster
import Foundation
import Messaging
import Training

/// `lockstep keys`: who may take part in training on an open network.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Makes and revokes the keys of a coordinator and its workers.",
        discussion: """
            `lockstep keys new DIR` makes the coordinator's keys and those of a first worker. Copy DIR/workers/NAME to the worker's \
            machine, and give it to `lockstep worker --keys`; DIR itself stays with the coordinator (`--keys DIR`). Without keys \
            nothing but this machine may connect.
            """,
        subcommands: [NewKeys.self, AddKey.self, ListKeys.self, RevokeKey.self])
}

/// What every subcommand takes and prints.
private struct KeyDirectoryOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The directory of the keys.", valueName: "dir"), completion: .directory)
    var directory: String

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    func path() throws -> String { try keyDirectory(directory, "keys") }

    func open() throws -> KeyDirectory { try KeyDirectory(path()) }

    func show(_ directory: KeyDirectory, saying sentences: [String]) throws {
        if json {
            try Output.writeLine(jsonLine(KeyListing(directory, shown: self.directory)))
        } else {
            for sentence in sentences { try Output.writeSentence(sentence) }
        }
    }
}

private struct NewKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Makes the coordinator's keys, and those of a first worker, in a new directory.")

    @OptionGroup var options: KeyDirectoryOptions

    func run() throws {
        let directory = try KeyDirectory.create(options.path())
        try options.show(
            directory,
            saying: [
                "coordinator: --keys \(options.directory.shellWord)",
                "worker:      --keys \("\(options.directory)/workers/worker".shellWord), copied to its machine (scp -rp)",
            ])
    }
}

private struct AddKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Makes the keys of one more worker; a coordinator that runs admits it at once.")

    @OptionGroup var options: KeyDirectoryOptions
    @Argument(help: "The worker's name.") var name: String

    func run() throws {
        let directory = try options.open()
        try directory.add(name)
        try options.show(
            directory,
            saying: [
                "worker:      --keys \("\(options.directory)/workers/\(name)".shellWord), copied to its machine (scp -rp)"
            ])
    }
}

private struct ListKeys: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the keys.")

    @OptionGroup var options: KeyDirectoryOptions

    func run() throws {
        let directory = try options.open()
        let entries = try directory.entries()
        let width = (["coordinator"] + entries.map(\.name)).map(\.count).max() ?? 0
        func row(_ name: String, _ key: String, _ state: String) -> String {
            "\(name.padding(toLength: width, withPad: " ", startingAt: 0))  \(key)  \(state)"
        }
        try options.show(
            directory,
            saying: [row("coordinator", try directory.coordinatorPair().publicKey.text, "coordinator")]
                + entries.map { row($0.name, $0.key.text, $0.isAllowed ? "allowed" : "revoked") })
    }
}

private struct RevokeKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Takes a worker off the allow-list; a coordinator that runs drops it within seconds.")

    @OptionGroup var options: KeyDirectoryOptions
    @Argument(help: "The worker's name.") var name: String

    func run() throws {
        let directory = try options.open()
        try directory.revoke(name)
        try options.show(directory, saying: ["worker \(name) is revoked"])
    }
}

/// What `lockstep keys --json` prints: public keys only.
private struct KeyListing: Encodable {
    let directory: String
    let coordinator: String
    let workers: [Worker]

    struct Worker: Encodable {
        let name: String
        let publicKey: String
        let state: String
    }

    init(_ keys: KeyDirectory, shown: String) throws {
        directory = shown
        coordinator = try keys.coordinatorPair().publicKey.text
        workers = try keys.entries().map {
            Worker(name: $0.name, publicKey: $0.key.text, state: $0.isAllowed ? "allowed" : "revoked")
        }
    }
}
