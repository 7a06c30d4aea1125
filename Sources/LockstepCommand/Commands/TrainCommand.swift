import ArgumentParser
import Cluster
import Foundation
import Sequences
import Tracing
import Training

/// Where a run goes, and what is printed of it.
struct RunOptions: ParsableArguments {
    @Option(
        name: .customLong("run"), help: "Directory of the run. Default: a new one below ./runs.", completion: .directory
    )
    var directory: String?

    @Option(
        parsing: .unconditional,
        help: "Threads of this process, for shards computed in it and for validation. Default: one for each core.")
    var threads: Int?

    @Flag(help: "Print the summary as one JSON object on standard output.")
    var json = false

    func resolveThreads() throws -> Int {
        let cores = max(1, ProcessInfo.processInfo.activeProcessorCount)
        guard let threads else { return cores }
        guard threads >= 1, threads <= 1024 else {
            throw UsageError("--threads \(threads): expected a whole number from 1 to 1024")
        }
        return threads
    }

    /// Begins a run in the directory asked for, or in a new one: `runs/addition-lstm-1` with the first number that is free.
    func begin(
        _ configuration: RunConfiguration, _ begin: (_ directory: String) throws -> RunSession
    ) throws -> RunSession {
        if let directory {
            guard !directory.isEmpty else {
                throw UsageError("--run '': expected a directory that is empty or not there yet")
            }
            return try begin(directory)
        }
        let data =
            switch configuration.data {
            case .generated(let set): set.rawValue
            case .text(let path, _): URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
            }
        let fresh = try FreshDirectory { "runs/\(data)-\(configuration.cell.rawValue)-\($0)" }
        do { return try begin(fresh.path) } catch {
            fresh.discard()
            throw error
        }
    }
}

/// `lockstep train`: trains in this process, or on local workers.
struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Trains a language model, in this process or on local workers.",
        discussion: """
            Without --workers everything happens in this process; with --workers N the gradients are computed by N processes on \
            this machine, and the process that leads them is started again when it is killed. The trained parameters are the same, \
            bit for bit. Ctrl-C saves the last whole step and says how to go on; a second one ends at once.
            """)

    @OptionGroup var training: TrainingOptions
    @OptionGroup var output: RunOptions
    @OptionGroup var tracing: TraceOptions

    @Option(parsing: .unconditional, help: "Worker processes to start on this machine; 0 trains in this process.")
    var workers = 0

    @OptionGroup var audit: AuditOption

    @Option(
        help: ArgumentHelp(
            "Faults to make on the way, to see that the trained bits are the same; a table says what each cost.",
            discussion: """
                Set apart by semicolons: kill worker [N] WHEN, kill coordinator WHEN, stall worker [N] for TIME [WHEN], stall \
                coordinator for TIME [WHEN], drop SHARE%. WHEN is every TIME, after TIME or at step N; a TIME is 500ms, 5s or 2m. \
                Which worker is hit, and which messages are dropped, follows from --seed. As in: \
                --chaos 'kill worker every 5s; kill coordinator at step 300; stall worker 2 for 10s; drop 1%'.
                """, valueName: "faults"))
    var chaos: String?

    @OptionGroup var supervision: SupervisionOptions

    func run() async throws {
        guard workers >= 0, workers <= 64 else {
            throw UsageError("--workers \(workers): expected a whole number from 0 to 64")
        }
        let auditShare = try audit.share(hasWorkers: workers > 0)
        if chaos != nil, workers == 0 { throw UsageError("--chaos: expected --workers 1 or more beside it") }
        if workers > 0, !supervision.supervised {
            try ClusterTraining.requireRoomForWorkers()
            return try SupervisionOptions.supervise(
                workers: workers, audit: audit, threads: output.threads, json: output.json,
                tracing: tracing, namesRun: output.directory != nil,
                chaos: chaos.map { text throws(ClusterError) in try ChaosPlan(text, workers: workers) },
                seed: training.seed ?? 0)
        }
        let (configuration, source) = try training.resolve()
        let threads = try output.resolveThreads()
        let trace = try tracing.prepare(run: output.directory, isSupervised: supervision.supervised)
        StopSignal.listen()
        Leftovers.sweep()
        let supervisor = supervision.connection()
        if supervision.supervised { ProcessAge.countFromParent() }
        let display = ProgressDisplay()
        let initial = try training.initialParameters(configuration, source)
        let session = try output.begin(configuration) { directory in
            // Not of a run that is somebody else's: the supervisor goes on with what it is told of.
            if !FileManager.default.fileExists(atPath: "\(directory)/run.json") { supervisor?.begins(in: directory) }
            return try RunSession.begin(
                at: directory, configuration: configuration, source: source, initial: initial, observer: display,
                threads: threads)
        }
        try await trace.taken(as: workers > 0 ? "coordinator" : "process", note: { display.note($0) }) {
            try await session.train(
                on: .local(workers: workers), auditShare: auditShare, threads: threads, display: display,
                json: output.json, supervisor: supervisor)
        }
    }
}

/// `lockstep resume`: goes on with a run.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Goes on with a run from its newest checkpoint.",
        discussion:
            "The run ends with the bits that it would have had without the interruption, whatever --workers says.")

    @Argument(help: ArgumentHelp("The run's directory.", valueName: "run"), completion: .directory)
    var directory: String

    @Option(parsing: .unconditional, help: "Worker processes to start on this machine; 0 trains in this process.")
    var workers = 0

    @Option(help: "Where workers connect, as for `lockstep coordinator`; instead of --workers.")
    var bind: String?

    @OptionGroup var keys: KeyOptions

    @Option(
        parsing: .unconditional,
        help: "With --bind: seconds to wait for a first worker before computing alone. Default: 10.")
    var fallbackAfter: Double?

    @OptionGroup var audit: AuditOption

    @Option(parsing: .unconditional, help: "Threads of this process. Default: one for each core.")
    var threads: Int?

    @OptionGroup var tracing: TraceOptions

    @Flag(help: "Print the summary as one JSON object on standard output.")
    var json = false

    @OptionGroup var supervision: SupervisionOptions

    func run() async throws {
        guard workers >= 0, workers <= 64 else {
            throw UsageError("--workers \(workers): expected a whole number from 0 to 64")
        }
        if bind != nil, workers > 0 { throw UsageError("--bind and --workers: expected one of the two") }
        if bind == nil, keys.keys != nil {
            throw UsageError("--keys: expected --bind beside it; workers of this machine need none")
        }
        if bind == nil, let fallbackAfter {
            throw UsageError(
                "--fallback-after \(fallbackAfter): expected --bind beside it; workers of this machine are not waited for"
            )
        }
        let auditShare = try audit.share(hasWorkers: workers > 0 || bind != nil)
        if workers > 0, !supervision.supervised {
            try ClusterTraining.requireRoomForWorkers()
            return try SupervisionOptions.supervise(
                workers: workers, audit: audit, threads: threads, json: json, tracing: tracing, namesRun: true)
        }
        var options = RunOptions()
        options.threads = threads
        options.json = json
        let threads = try options.resolveThreads()
        let trace = try tracing.prepare(run: directory, isSupervised: supervision.supervised)
        let place =
            try bind.map {
                try Place.open(at: $0, keys: keys.coordinatorKeys(), fallbackAfter: fallbackAfter ?? 10, run: directory)
            } ?? .local(workers: workers)
        StopSignal.listen()
        Leftovers.sweep()
        let supervisor = supervision.connection()
        let display = ProgressDisplay()
        supervisor?.begins(in: directory)
        let session: RunSession
        do { session = try RunSession.resume(at: directory, observer: display, threads: threads) } catch let error
            as RunError where error.code == .denied
        {
            // Where nothing has to be written, that nothing can be is no obstacle.
            guard let summary = try? RunSession.summary(ofDone: directory) else { throw error }
            return try Self.show(summary, of: directory, display, json: json)
        }
        if let summary = try session.storedSummary() {
            // A coordinator that was killed after its last step has left its part of the trace, and not the trace.
            let written = Result { if supervision.supervised { try trace?.write { display.note($0) } } }
            try Self.show(summary, of: directory, display, json: json)
            return try written.get()
        }
        display.note(
            "going on with \(directory) after step \(session.trainer.step) of \(session.trainer.configuration.steps)")
        try await trace.taken(
            as: workers > 0 || bind != nil ? "coordinator" : "process", note: { display.note($0) }
        ) {
            try await session.train(
                on: place, auditShare: auditShare, threads: threads, display: display, json: json,
                supervisor: supervisor)
        }
    }

    private static func show(
        _ summary: RunSummary, of directory: String, _ display: ProgressDisplay, json: Bool
    ) throws {
        display.note("\(directory) is done; nothing is left to train")
        try RunSession.show(summary, json: json)
    }
}
