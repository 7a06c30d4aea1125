import ArgumentParser
import Cluster
import Foundation

/// How a command that trains on local workers is kept alive: by another process, which starts it again when it is killed.
struct SupervisionOptions: ParsableArguments {
    /// Given by the supervisor to the process that it supervises.
    @Flag(help: .hidden)
    var supervised = false

    /// With --supervised: the share of messages to throw away, and the seed of which.
    @Option(help: .hidden)
    var dropRate: Double = 0

    @Option(help: .hidden)
    var dropSeed: UInt64 = 0

    /// With --supervised: the steps, set apart by commas, at which the supervisor has something to do.
    @Option(help: .hidden)
    var chaosSteps = ""

    /// The connection to the supervisor of this process.
    func connection() -> SupervisorConnection? {
        guard supervised else { return nil }
        return SupervisorConnection(
            loss: dropRate > 0 ? MessageLoss(rate: dropRate, seed: dropSeed) : nil,
            awaiting: Set(chaosSteps.split(separator: ",").compactMap { UInt64($0) }))
    }

    /// Supervises this very command, whose arguments are the process's own.
    ///
    /// - Parameters:
    ///   - workers, audit, threads, json, tracing: what a resumption of it is to be given again.
    ///   - namesRun: whether the arguments say which directory is the run's.
    ///   - chaos: faults to make on the way.
    static func supervise(
        workers: Int, audit: AuditOption, threads: Int?, json: Bool, tracing: TraceOptions, namesRun: Bool,
        chaos: ChaosPlan? = nil, seed: UInt64 = 0
    ) throws {
        try ClusterTraining.requireOpenFiles(workers: workers)
        if tracing.trace != nil { Leftovers.sweep() }
        // Kept here, what one coordinator has left is joined with what the next leaves.
        let parts = tracing.trace == nil ? nil : try TraceOptions.parts()
        defer { withExtendedLifetime(parts) {} }
        let own = Array(CommandLine.arguments.dropFirst())
        var supervised = ["--supervised"]
        if let rate = chaos?.dropRate, rate > 0 { supervised += ["--drop-rate", "\(rate)", "--drop-seed", "\(seed)"] }
        if let steps = chaos?.steps, !steps.isEmpty {
            supervised += ["--chaos-steps", steps.map(String.init).joined(separator: ",")]
        }
        var options = supervised + ["--workers", "\(workers)"]
        if let audit = audit.audit { options += ["--audit", audit] }
        if let threads { options += ["--threads", "\(threads)"] }
        if json { options.append("--json") }
        if let trace = tracing.trace { options.append("--trace=\(trace)") }
        var supervisor = Supervisor(
            arguments: own.prefix(1) + supervised + own.dropFirst(),
            beginning: { [supervised] run in
                own.prefix(1) + supervised + (namesRun ? [] : ["--run", run]) + own.dropFirst()
            },
            resumption: { [options] run in ["resume"] + options + ["--", run] },
            chaos: chaos, seed: seed,
            note: { sentence in
                // The progress line of the process that died may stand open.
                if ProgressDisplay.showsOneLine { Output.tellOver(sentence) } else { Output.tell(sentence) }
            })
        let code = try supervisor.supervise()
        if code != 0 { throw ExitCode(code) }
    }
}
