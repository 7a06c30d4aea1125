import ArgumentParser
import Cluster
import Coordination
import Foundation
import Messaging
import Training

/// Where gradients are computed.
enum Place {
    /// In this process, or by that many processes on this machine.
    case local(workers: Int)
    /// By whoever connects.
    case open(Endpoint, fallbackAfter: Duration)
}

extension RunSession {
    /// Trains to the end, or until a signal, and says what came of it.
    func train(on place: Place, threads: Int, display: ProgressDisplay, json: Bool) async throws {
        var roster = ClusterTraining.Roster(seen: 0, lost: 0)
        let run = RunID(record.runID) ?? .none
        let stop: @Sendable () -> Bool = { StopSignal.received != nil }
        switch place {
        case .local(workers: 0):
            try trainHere(LocalCompute(threads: threads), shouldStop: stop)
        case .local(let workers):
            roster = try await ClusterTraining.train(
                trainer, run: run, incarnation: held.incarnation, workers: workers, threads: threads, shouldStop: stop,
                note: { display.note($0) }, stepDone: { try self.stepDone($0, workers: $1) })
        case .open(let endpoint, let fallbackAfter):
            roster = try await ClusterTraining.coordinate(
                trainer, run: run, incarnation: held.incarnation, at: endpoint, fallbackAfter: fallbackAfter,
                threads: threads, ready: { display.note("workers connect with: lockstep worker --connect \($0)") },
                shouldStop: stop, note: { display.note($0) }, stepDone: { try self.stepDone($0, workers: $1) })
        }
        let summary = try finish(workersSeen: roster.seen, workersLost: roster.lost)
        if json { print(try summary.json(), terminator: "") } else { print(text(of: summary)) }
        if let code = StopSignal.exitCode, !trainer.isDone {
            display.note("stopped after step \(trainer.step); to go on: lockstep resume \(path)")
            throw ExitCode(code)
        }
    }

    private func trainHere(_ local: LocalCompute, shouldStop: () -> Bool) throws {
        while !trainer.isDone, !shouldStop() {
            trainer.beginStep()
            local.compute(trainer.wholeStep, of: trainer)
            try stepDone(trainer.finishStep())
        }
    }

    private func text(of summary: RunSummary) -> String {
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
            lines.append("workers            \(summary.workersSeen) seen, \(summary.workersLost) lost")
        }
        return lines.joined(separator: "\n")
    }
}
