import ArgumentParser
import Cluster
import Foundation

/// `lockstep worker`: computes gradients for a coordinator.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Computes gradients for a coordinator.",
        discussion: "A worker needs no data and no settings: both arrive. It ends when the coordinator says so.")

    @Option(help: "The coordinator's endpoint, as it prints it.")
    var connect: String

    @OptionGroup var keys: KeyOptions

    @Option(help: .hidden)
    var local: String?

    @Option(help: .hidden)
    var memory: String?

    @OptionGroup var tracing: TraceOptions

    func run() throws {
        let endpoint = try parseEndpoint(connect, "--connect")
        // A child of a coordinator on this machine connects to a local socket.
        let keys = local == nil ? try keys.workerKeys() : nil
        try ClusterTraining.requireReachable(endpoint, keys: keys)
        let identity = try local.map(ClusterTraining.workerName)
        if identity == nil {
            StopSignal.listen()
        } else {
            // Ctrl-C reaches every process of the terminal, and Slurm or systemd tell everybody: the coordinator finishes the step with
            // its children and then stops them.
            for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_IGN) }
        }
        let trace = try tracing.prepare()
        let isQuiet = identity != nil
        let end = try ClusterTraining.work(for: endpoint, local: identity, keys: keys, memory: memory) { sentence in
            if !isQuiet { ExitStatus.say(sentence) }
        }
        try trace?.write { ExitStatus.say($0) }
        if !isQuiet || end.code != 0 { ExitStatus.say(end.sentence) }
        if end.code != 0 { throw ExitCode(end.code) }
    }
}
