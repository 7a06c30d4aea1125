import Foundation
import Testing
import Training

@Suite struct `What is counted of workers` {
    private func train(_ session: RunSession, _ counts: [WorkerCounts]) throws {
        for counts in counts {
            session.trainer.beginStep()
            session.trainer.compute(session.trainer.wholeStep, threads: 1)
            try session.stepDone(session.trainer.finishStep(), workers: counts)?({ false })
        }
    }

    @Test func `is summed over all that held the run, the killed ones too`() throws {
        let place = try RunPlace()
        do {
            let killed = try place.begin("run", try place.configuration())
            let counts = WorkerCounts(live: 2, seen: 2)
            try train(killed, [counts, counts, WorkerCounts(live: 1, seen: 3, lost: 1, audited: 4)])
        }
        // What a process writes that is killed in the middle of it, and a line that somebody has spoiled.
        let file = "\(place.path)/run/workers.jsonl"
        let whole = try place.bytes("run/workers.jsonl")
        #expect(whole.count(where: { $0 == UInt8(ascii: "\n") }) == 2)
        try place.write(whole + Array("spoiled\n".utf8) + whole.prefix(20), to: "run/workers.jsonl")
        let session = try place.resume("run")
        try train(session, [WorkerCounts(live: 5, seen: 5, outvoted: 1)])
        let summary = try session.finish(workers: WorkerCounts(seen: 5, lost: 2, audited: 1, outvoted: 1))
        #expect(summary.workersSeen == 8 && summary.workersLost == 3 && summary.incarnations == 2)
        #expect(summary.audited == 5 && summary.outvoted == 1)
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 5 && lines.last?.contains(#""incarnation":2,"outvoted":1,"workers_lost":2"#) == true)
        #expect(try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().isIdentical)
    }

    @Test func `leaves no file in a run without any`() throws {
        let place = try RunPlace()
        let summary = try place.begin("run", try place.configuration()).train(upTo: 12)
        #expect(summary.workersSeen == 0 && summary.incarnations == 1)
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run/workers.jsonl"))
    }
}
