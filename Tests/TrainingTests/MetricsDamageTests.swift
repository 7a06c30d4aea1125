import Foundation
import Testing
import Training

@Suite struct `A run whose metrics are damaged` {
    private func lines(_ place: borrowing RunPlace, _ name: String) throws -> [[UInt8]] {
        try place.bytes("\(name)/metrics.jsonl").split(separator: UInt8(ascii: "\n")).map {
            Array($0) + [UInt8(ascii: "\n")]
        }
    }

    @Test func `keeps every record before the checkpoint, and says which are gone and from where they come again`()
        throws
    {
        let place = try RunPlace()
        let configuration = try place.configuration()
        try place.begin("whole", configuration).train(upTo: 12)
        let whole = try lines(place, "whole")
        let path = "\(place.path)/run/metrics.jsonl"
        let again = "records are written again from step 10, after the checkpoint"
        for (name, change, notes) in [
            (
                "a line that is none", { (lines: inout [[UInt8]]) in lines[4] = Array("{]\n".utf8) },
                [
                    "\(path): line 5 is no record of a step after those before it; what is there stays as it is",
                    "\(path): no record of step 5; \(again)",
                ]
            ),
            (
                "a line twice", { $0.insert($0[6], at: 7) },
                ["\(path): line 8 is no record of a step after those before it; what is there stays as it is"]
            ),
            (
                "two lines", { $0.removeSubrange(2...3) },
                ["\(path): no record of step 3, the first of 2 that are missing; \(again)"]
            ),
            (
                "the end", { $0[8...] = [Array("x\n".utf8), [UInt8](repeating: 0, count: 9) + [10], Array("{".utf8)] },
                [
                    "\(path): lines 9, 10 are no records of steps after those before them; dropped with all after the record of step 8",
                    "\(path): the last line was cut short and was dropped (1 bytes)",
                    "\(path): no record of step 9; \(again)",
                ]
            ),
            (
                "what comes again", { $0[10] = Array("x\n".utf8) },
                [
                    "\(path): line 11 is no record of a step after those before it; dropped with all after the record of step 9"
                ]
            ),
        ] as [(String, (inout [[UInt8]]) -> Void, [String])] {
            // Killed after step 11: the newest checkpoint is of step 9.
            try? FileManager.default.removeItem(atPath: "\(place.path)/run")
            try kill(place.begin("run", configuration), after: 11)
            var damaged = try lines(place, "run")
            #expect(damaged == Array(whole.prefix(11)))
            change(&damaged)
            try place.write(Array(damaged.joined()), to: "run/metrics.jsonl")
            let listener = Listener()
            try place.resume("run", observer: listener).train(upTo: 12)
            #expect(listener.notes.filter { $0.hasPrefix(path) } == notes, "\(name): \(listener.notes)")
            let left = try lines(place, "run")
            let own = left.filter { whole.contains($0) }
            #expect(name == "a line twice" || own == whole.filter { left.contains($0) }, "\(name)")
            let kept = damaged.prefix(9).filter { whole.contains($0) }
            #expect(kept.allSatisfy { left.contains($0) } && left.suffix(3) == whole.suffix(3), "\(name)")
        }
    }

    /// Takes a session so far and lets go of it without a word.
    private func kill(_ session: RunSession, after step: UInt64) throws {
        while session.trainer.step < step {
            session.trainer.beginStep()
            session.trainer.compute(session.trainer.wholeStep, threads: 1)
            try session.stepDone(session.trainer.finishStep())?({ false })
        }
    }

    @Test func `is not told of records that its settings do not call for`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration(steps: 2500)
        // A record each second step, and after the steps 5, 10, 15 ….
        (configuration.validationEvery, configuration.checkpointEvery) = (5, 7)
        try kill(place.begin("run", configuration), after: 22)
        let steps = try lines(place, "run").map { line in
            String(decoding: line, as: UTF8.self).firstMatch(of: /"step":([0-9]+)/).flatMap { UInt64($0.1) }
        }
        #expect(steps == (1...22).filter { $0 % 2 == 0 || $0 % 5 == 0 })
        let listener = Listener()
        _ = try place.resume("run", observer: listener)
        #expect(!listener.notes.contains { $0.contains("metrics.jsonl") }, "\(listener.notes)")
    }

    @Test func `misses just the records that are not there, however many steps it has`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        var random = SystemRandomNumberGenerator()
        for (steps, every) in [(1, 1), (12, 4), (12, 5), (999, .max), (3001, 7), (6000, 9), (6000, 12)]
            as [(UInt64, UInt64)]
        {
            (configuration.steps, configuration.validationEvery) = (steps, every)
            for _ in 0..<20 {
                let last = UInt64.random(in: 0...steps + 2, using: &random)
                let share = Double.random(in: 0...1, using: &random)
                let recorded = (1...steps).filter { _ in Double.random(in: 0...1, using: &random) < share }
                let there = Set(recorded)
                let missing = (1...steps).filter {
                    $0 <= last && configuration.isRecordedStep($0) && !there.contains($0)
                }
                let found = configuration.missingRecords(among: recorded, upTo: last)
                #expect(
                    found?.first == missing.first && Int(found?.count ?? 0) == missing.count,
                    "\(steps) \(every) \(last)")
            }
        }
        // As many as nobody could look at one by one between two tests.
        let most = RunConfiguration.stepLimit - 1
        (configuration.steps, configuration.validationEvery) = (most, 1)
        for last: UInt64 in [most, .max] {
            let found = configuration.missingRecords(among: [1, 2, 4], upTo: last)
            #expect(found?.first == 3)
            #expect(found?.count == most - 3)
        }
    }
}
