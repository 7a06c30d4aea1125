import ArgumentParser
import Cluster
import Foundation
import Messaging
import Training

/// `lockstep coordinator`: the same training, for workers that are started elsewhere.
struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Trains with the workers that connect.",
        discussion: """
            Start workers with `lockstep worker --connect ENDPOINT`; they need nothing else, and may come and go at any time. With \
            none, the coordinator computes by itself. The trained parameters are the same in every case. Workers on other machines \
            need keys: see `lockstep keys`.
            """)

    @Option(
        help:
            "Where workers connect: tcp://ADDRESS:PORT (with --keys, but for 127.0.0.1), or ipc://PATH in a directory of mode 0700."
    )
    var bind: String

    @Option(parsing: .unconditional, help: "Seconds to wait for a first worker before computing alone.")
    var fallbackAfter: Double = 10

    @OptionGroup var keys: KeyOptions
    @OptionGroup var training: TrainingOptions
    @OptionGroup var output: RunOptions
    @OptionGroup var tracing: TraceOptions
    @OptionGroup var audit: AuditOption

    func run() async throws {
        let place = try Place.open(
            at: bind, keys: keys.coordinatorKeys(), fallbackAfter: fallbackAfter, run: output.directory)
        let auditShare = try audit.share(hasWorkers: true)
        let (configuration, source) = try training.resolve()
        let threads = try output.resolveThreads()
        let trace = try tracing.prepare(run: output.directory)
        StopSignal.listen()
        Leftovers.sweep()
        let display = ProgressDisplay()
        let initial = try training.initialParameters(configuration, source)
        let session = try output.begin(configuration) { directory in
            try RunSession.begin(
                at: directory, configuration: configuration, source: source, initial: initial, observer: display,
                threads: threads)
        }
        try await trace.taken(as: "coordinator", note: { display.note($0) }) {
            try await session.train(
                on: place, auditShare: auditShare, threads: threads, display: display,
                json: output.json)
        }
    }
}

/// An endpoint from the command line, or a sentence.
func parseEndpoint(_ text: String, _ flag: String) throws -> Endpoint {
    do { return try Endpoint(text) } catch { throw UsageError("\(flag): \(error)") }
}
