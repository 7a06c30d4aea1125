import ArgumentParser
import Cluster
import Coordination
import Foundation
import Messaging
import Tracing
import Training

/// Where gradients are computed.
enum Place {
    /// In this process, or by that many processes on this machine.
    case local(workers: Int)
    /// By whoever connects.
    case open(Endpoint, keys: CoordinatorKeys?, fallbackAfter: Duration)

    /// A place for workers from elsewhere, from what the command line says of it.
    ///
    /// - Parameter run: the run's directory, where it is known. Where somebody listens at the endpoint and holds the run, as when the same
    ///   command is given twice, it is the run that is refused.
    static func open(at text: String, keys: CoordinatorKeys?, fallbackAfter: Double, run: String?) throws -> Place {
        guard fallbackAfter >= 0, fallbackAfter < 1e9 else {
            throw UsageError("--fallback-after \(fallbackAfter): expected a number of seconds, 0 or more")
        }
        let endpoint = try parseEndpoint(text, "--bind")
        // Before a run is made, and before the first socket.
        try ClusterTraining.requireOpenFiles()
        do { try ClusterTraining.requireFree(endpoint, keys: keys) } catch let refusal as ClusterError {
            if let run, let directory = try? RunDirectory(run) { try directory.requireNotHeld() }
            throw refusal
        }
        try ClusterTraining.requireRoomForSockets()
        return .open(endpoint, keys: keys, fallbackAfter: .seconds(fallbackAfter))
    }
}

extension RunSession {
    /// Trains to the end, or until a signal, and says what came of it.
    ///
    /// - Parameter supervisor: is told of each step, and of the end.
    func train(
        on place: Place, auditShare: Double = 0, threads: Int, display: ProgressDisplay, json: Bool,
        supervisor: SupervisorConnection? = nil
    ) async throws {
        do {
            try await trainToEnd(
                on: place, auditShare: auditShare, threads: threads, display: display, json: json,
                supervisor: supervisor)
        } catch { throw explained(error) }
    }

    private func trainToEnd(
        on place: Place, auditShare: Double, threads: Int, display: ProgressDisplay, json: Bool,
        supervisor: SupervisorConnection?
    ) async throws {
        var roster: ClusterTraining.Roster?
        let run = RunID(record.runID) ?? .none
        let stop: @Sendable () -> Bool = { StopSignal.received != nil }
        let stepDone = { (report: StepReport, workers: WorkerCounts) throws -> (() throws -> Void)? in
            defer { supervisor?.stepDone(report.step) }
            return try self.stepDone(report, workers: workers).map { rest in { try rest(stop) } }
        }
        switch place {
        case .local(workers: 0):
            try catchUp(stop)
            try trainHere(threads: threads, shouldStop: stop)
        case .local(let workers):
            try catchUp(stop)
            roster = try await ClusterTraining.train(
                trainer, run: run, incarnation: held.incarnation, workers: workers, threads: threads,
                auditShare: auditShare, shouldStop: stop, supervisor: supervisor,
                note: { display.note($0) }, stepDone: stepDone)
        case .open(let endpoint, let keys, let fallbackAfter):
            roster = try await ClusterTraining.coordinate(
                trainer, run: run, incarnation: held.incarnation, at: endpoint, keys: keys,
                fallbackAfter: fallbackAfter,
                threads: threads, auditShare: auditShare,
                ready: {
                    let keys = keys != nil ? "--keys DIR " : ""
                    display.note("workers connect with: lockstep worker \(keys)--connect \($0.description.shellWord)")
                },
                // Workers from elsewhere wait two minutes for a word, and a validation may take longer.
                before: { try self.catchUp(stop) }, shouldStop: stop, note: { display.note($0) }, stepDone: stepDone)
        }
        let summary = try finish(
            workers: roster.map {
                WorkerCounts(seen: $0.seen, lost: $0.lost, audited: $0.audited, outvoted: $0.outvoted)
            }, rejected: roster?.rejected, stopped: StopSignal.age)
        if StopSignal.exitCode != nil, !isDone {
            display.note("stopped after step \(trainer.step); to go on: lockstep resume \(path.shellWord)")
        }
        let code = isDone ? nil : StopSignal.exitCode
        do { try Self.show(summary, json: json) } catch let error as OutputError where code != nil {
            // Of one that was stopped, that it was is what counts; whoever read the summary may have been stopped by the same signal.
            if !error.isClosedPipe { display.note("\(error)") }
        }
        supervisor?.finished(code ?? 0)
        if let code { throw ExitCode(code) }
    }

    /// Prints what a run came to.
    static func show(_ summary: RunSummary, json: Bool) throws {
        try Output.write(json ? summary.json() : text(of: summary) + "\n")
    }

    /// How long the step at hand may take to its end once the run is to stop; one that will take longer is given up at once.
    private static let lastStep: Duration = .seconds(3)

    private func trainHere(threads: Int, shouldStop: @escaping @Sendable () -> Bool) throws {
        let clock = ContinuousClock()
        var computing = WatchedComputing()
        trainer.updateThreads = threads
        while !trainer.isDone, !shouldStop() {
            let begun = clock.now
            trainer.beginStep()
            let computation = trainer.computation(of: trainer.wholeStep, threads: threads)
            let usual = computing.last
            var deadline: ContinuousClock.Instant?
            let answers = computing.answers(of: computation) {
                if deadline == nil, shouldStop() {
                    let isTooFar = usual.map { begun + $0 - clock.now > Self.lastStep } ?? false
                    deadline = clock.now + (isTooFar ? .zero : Self.lastStep)
                }
                return deadline.map { clock.now >= $0 } ?? false
            }
            guard let answers else { return }
            trainer.add(answers)
            let report = trainer.finishStep()
            try Trace.span(.record) { try stepDone(report)?(shouldStop) }
            TraceLog.flush()
        }
    }

    private static func text(of summary: RunSummary) -> String {
        var lines = [
            "run                \(summary.run)",
            "steps              \(summary.steps)",
        ]
        if let loss = summary.trainLoss { lines.append("train loss         \(decimal(loss, 4))") }
        if let loss = summary.validationLoss { lines.append("validation loss    \(decimal(loss, 4))") }
        if let score = summary.score, let name = summary.scoreName {
            lines.append("\(name.padding(toLength: 18, withPad: " ", startingAt: 0)) \(decimal(score * 100, 2)) %")
        }
        lines += [
            "speed              \(grouped(summary.tokensPerSecond)) tokens/s, \(decimal(summary.seconds, 1)) s in all",
            "parameters         \(grouped(Double(summary.parameters)))",
            "parameters_sha256  \(summary.parametersSHA256)",
        ]
        if summary.workersSeen > 0 {
            let holders = summary.incarnations ?? 1
            lines.append(
                "workers            \(summary.workersSeen) seen, \(summary.workersLost) lost"
                    + (holders > 1 ? ", by \(holders) processes that held the run one after another" : ""))
        }
        if let audited = summary.audited, let outvoted = summary.outvoted, audited > 0 || outvoted > 0 {
            lines.append("audit              \(audited) answers computed twice, \(outvoted) workers outvoted")
        }
        return lines.map(\.inOneLine).joined(separator: "\n")
    }
}
