import Foundation
import Testing
import Training

@Suite struct `A run's directory whose files say different things` {
    private func verify(_ place: borrowing RunPlace) throws -> VerificationResult {
        try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
    }

    private func trained(upTo step: UInt64 = 12) throws -> RunPlace {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: step)
        return place
    }

    private func lines(_ place: borrowing RunPlace, _ name: String) throws -> [[UInt8]] {
        try place.bytes("run/\(name)").split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
    }

    private func flip(_ place: borrowing RunPlace, _ name: String) throws {
        var bytes = try place.bytes(name)
        bytes[bytes.count - 3] ^= 1
        try place.write(bytes, to: name)
    }

    private static func end(_ what: String, _ lines: [[UInt8]]) -> [UInt8] {
        switch what {
        case "its last line damaged": Array((lines[..<11] + [Array("x\n".utf8)]).joined())
        case "a damaged line for its last three": Array((lines[..<9] + [Array("x\n".utf8)]).joined())
        case "its last line torn": Array(lines.joined().dropLast(30))
        case "words for a ledger": Array("hi\n".utf8)
        default: []
        }
    }

    private static let ends = [
        "its last line damaged", "a damaged line for its last three", "its last line torn", "words for a ledger",
        "an empty ledger", "no ledger",
    ]

    @Test(arguments: ends) func `is recomputed and compared to its end with`(what: String) throws {
        let place = try trained()
        let ledger = try place.bytes("run/ledger.jsonl")
        try place.write(Self.end(what, try lines(place, "ledger.jsonl")), to: "run/ledger.jsonl")
        if what == "no ledger" { try FileManager.default.removeItem(atPath: "\(place.path)/run/ledger.jsonl") }
        let right = try verify(place)
        #expect(right.finding == nil && right.damages.count == 1, "\(right)")
        #expect(right.damages.first?.hasSuffix(" recomputed: none comes after") == true, "\(right)")
        #expect(right.checkpointsCompared == 3 && right.metricsCompared == 12 && right.summaryCompared, "\(right)")
        #expect(right.steps == 1...12)
        let summary = try place.bytes("run/summary.json")
        let wrong = String(decoding: summary, as: UTF8.self).replacing(
            try Regex(#""train_loss" : [^,\n]*"#), with: #""train_loss" : 0.25"#)
        try place.write(Array(wrong.utf8), to: "run/summary.json")
        let finding = try #require(try verify(place).finding)
        #expect(
            finding.hasPrefix(
                "step 12: the ledger has no line of it, and summary.json is not what was recomputed: train_loss is 0.25; "
            ), "\(finding)")
        try flip(place, "run/checkpoints/step-00000012/parameters.safetensors")
        let damaged = try verify(place)
        #expect(damaged.differingCheckpoint == 12, "\(damaged)")
        try flip(place, "run/checkpoints/step-00000012/parameters.safetensors")
        try place.write(summary, to: "run/summary.json")
        // Of a last line that is cut short alone, two runs have the same as far as both go.
        try place.begin("whole", try place.configuration()).train(upTo: 12)
        let comparison = try RunComparison("\(place.path)/run", "\(place.path)/whole")
        #expect(comparison.difference == nil && comparison.isIdentical == (what == "its last line torn"))
        try place.write(ledger, to: "run/ledger.jsonl")
        #expect(try verify(place).isIdentical)
    }

    @Test func `is not said to go on when it is done and its ledger is lost`() throws {
        let place = try trained()
        try FileManager.default.removeItem(atPath: "\(place.path)/run/ledger.jsonl")
        let listener = Listener()
        #expect(try place.resume("run", observer: listener).storedSummary() != nil)
        #expect(
            listener.notes.contains {
                $0.contains("; the run is done by that of step 12, ")
                    && $0.contains("the ledger vouches for nothing after its last line: lockstep verify computes")
            }, "\(listener.notes)")
        let result = try verify(place)
        #expect(result.finding == nil && result.summaryCompared, "\(result)")
        #expect(
            result.damages == [
                "\(place.path)/run/ledger.jsonl: has no line; expected step 12 as its last, of which the checkpoint is; lines 1 to 12 recomputed: none comes after"
            ])
    }

    /// As whoever takes the run up cuts the ledger to a checkpoint, and removes what goes further a moment later.
    @Test(arguments: [true, false])
    func `is looked at again while somebody holds it, and taken at its word when nobody does`(isHeld: Bool) throws {
        let place = try trained()
        let ledger = try place.bytes("run/ledger.jsonl")
        let holder = isHeld ? try RunDirectory("\(place.path)/run").hold() : nil
        try place.write(Array(try lines(place, "ledger.jsonl")[..<6].joined()), to: "run/ledger.jsonl")
        let path = "\(place.path)/run/ledger.jsonl"
        if isHeld {
            Thread.detachNewThread {
                sleep(1)
                try? Data(ledger).write(to: URL(filePath: path))
            }
        }
        let result = try verify(place)
        withExtendedLifetime(holder) {}
        #expect(result.steps == (isHeld ? 1...12 : 1...6))
        #expect(
            result.finding
                == (isHeld
                    ? nil
                    : "step 7: \(path) ends at step 6; expected step 12 as its last, of which the checkpoint is"))
    }

    @Test func `has no summary from before a validation that was made up for`() throws {
        let place = try trained(upTo: 7)
        do {
            let session = try place.resume("run")
            session.trainer.beginStep()
            session.trainer.compute(session.trainer.wholeStep, threads: 1)
            try session.stepDone(session.trainer.finishStep())?({ true })
            _ = try session.finish()
        }
        #expect(try verify(place).isIdentical)
        let listener = Listener()
        do {
            let before = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1)
            let session = try place.resume("run", observer: listener)
            try session.catchUp { false }
            // One that looked at the directory before.
            let result = try before.run()
            #expect(result.finding == nil, "\(result)")
        }
        #expect(
            listener.notes.contains(
                "\(place.path)/run/summary.json: of step 8 before its validation, which is made up for; removed until the run ends"
            ), "\(listener.notes)")
        #expect(try verify(place).isIdentical)
    }

    @Test func `may have lost a checkpoint while it was verified, and none may be damaged`() throws {
        let place = try trained()
        let verification = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1)
        try FileManager.default.removeItem(atPath: "\(place.path)/run/checkpoints/step-00000006")
        let result = try verification.run()
        #expect(result.isIdentical && result.checkpointsCompared == 2, "\(result)")
        #expect(result.notes == ["checkpoint of step 6: removed meanwhile; not compared"])
        let again = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1)
        try FileManager.default.removeItem(atPath: "\(place.path)/run/checkpoints/step-00000009/manifest.json")
        #expect(try again.run().differingCheckpoint == 9)
    }

    @Test(arguments: [true, false])
    func `is waited for when its ledger is cut after the first look, and what stays so is no difference`(
        isTakenUp: Bool
    ) throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 12)
        let verification = try RunVerification(
            path: "\(place.path)/run", steps: nil, threads: 1, patience: isTakenUp ? 600 : 2)
        let whole = try place.bytes("run/ledger.jsonl")
        let lines = whole.split(separator: UInt8(ascii: "\n"))
        try place.write(Array(lines.prefix(5).joined(separator: [10])) + [10], to: "run/ledger.jsonl")
        if isTakenUp {
            let (path, bytes) = ("\(place.path)/run/ledger.jsonl", Data(whole))
            Thread.detachNewThread {
                Thread.sleep(forTimeInterval: 0.3)
                try? bytes.write(to: URL(filePath: path))
            }
            #expect(try verification.run().isIdentical)
        } else {
            let error = #expect(throws: RunError.self) { try verification.run() }
            #expect(error?.isBadInput == true, "nothing is known")
            #expect(error?.message.contains("ends at step 5 now, and went on to step 12") == true)
        }
    }

    @Test func `is compared once more where somebody holds one of the two and puts it in order`() throws {
        let place = try RunPlace()
        try place.begin("a", try place.configuration()).train(upTo: 12)
        try place.begin("b", try place.configuration()).train(upTo: 12)
        let whole = try place.bytes("b/ledger.jsonl")
        var damaged = whole
        damaged[whole.count / 2] ^= 1
        try place.write(damaged, to: "b/ledger.jsonl")
        #expect(try RunComparison("\(place.path)/a", "\(place.path)/b").damages.count == 1, "nobody holds it")
        let holder = try RunDirectory("\(place.path)/b").hold()
        let (path, bytes) = ("\(place.path)/b/ledger.jsonl", Data(whole))
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 1)
            try? bytes.write(to: URL(filePath: path), options: .atomic)
        }
        #expect(try RunComparison("\(place.path)/a", "\(place.path)/b").isIdentical)
        withExtendedLifetime(holder) {}
    }

    @Test func `is looked at again for as long as whoever takes it up puts it in order`() throws {
        let place = try trained(upTo: 11)
        let session = try place.resume("run")
        try place.write(Array(try lines(place, "ledger.jsonl")[..<9].joined()), to: "run/ledger.jsonl")
        for name in ["checkpoints/step-00000011", "summary.json", "latest"] {
            try FileManager.default.removeItem(atPath: "\(place.path)/run/\(name)")
        }
        let (metrics, file) = (
            Data(try lines(place, "metrics.jsonl")[..<9].joined()), "\(place.path)/run/metrics.jsonl"
        )
        let thread = Thread {
            Thread.sleep(forTimeInterval: 0.8)
            try? metrics.write(to: URL(filePath: file))
        }
        thread.start()
        let result = try verify(place)
        #expect(result.isIdentical && result.steps == 1...9, "\(result)")
        withExtendedLifetime(session) {}
    }

    @Test func `is not gone on with from a checkpoint of another run`() throws {
        let place = try trained(upTo: 9)
        let whole = try place.begin("other", try place.configuration()).train(upTo: 9)
        let (own, foreign) = ("\(place.path)/run/checkpoints", "\(place.path)/other/checkpoints")
        try FileManager.default.removeItem(atPath: "\(own)/step-00000009")
        try FileManager.default.copyItem(atPath: "\(foreign)/step-00000009", toPath: "\(own)/step-00000009")
        let finding = try #require(try verify(place).finding)
        #expect(finding.contains("session.json: of other settings than run.json: run: "), "\(finding)")
        let listener = Listener()
        do {
            let session = try place.resume("run", observer: listener)
            #expect(session.trainer.step == 6)
            let note = try #require(listener.notes.first { $0.hasPrefix("checkpoint of step 9 skipped: ") })
            #expect(note.contains("/session.json: of run ") && note.hasSuffix(", as run.json has it"), "\(note)")
            #expect(try session.train(upTo: 9).ledgerHead == whole.ledgerHead)
        }
        #expect(try verify(place).isIdentical)
        for name in try FileManager.default.contentsOfDirectory(atPath: own) {
            try FileManager.default.removeItem(atPath: "\(own)/\(name)")
        }
        try FileManager.default.copyItem(atPath: "\(foreign)/step-00000009", toPath: "\(own)/step-00000009")
        let ledger = try place.bytes("run/ledger.jsonl")
        do {
            _ = try place.resume("run")
            Issue.record("taken")
        } catch let error as RunError {
            #expect(error.isBadInput && error.message.contains("no checkpoint can be used: checkpoint of step 9"))
        }
        #expect(try place.bytes("run/ledger.jsonl") == ledger)
    }

    @Test(arguments: ["ledger.jsonl", "metrics.jsonl"], [true, false])
    func `is written no further when a file that grows was replaced or removed`(name: String, isReplaced: Bool) throws {
        let place = try trained(upTo: 4)
        let session = try place.resume("run")
        let file = "\(place.path)/run/\(name)"
        let bytes = try place.bytes("run/\(name)")
        try FileManager.default.moveItem(atPath: file, toPath: "\(place.path)/aside")
        if isReplaced { try place.write(bytes, to: "run/\(name)") }
        do {
            try session.train(upTo: 12)
            Issue.record("not noticed")
        } catch let error as RunError {
            #expect(
                error.message.hasPrefix("\(file): moved, removed or replaced while the run was held; expected "),
                "\(error)")
            #expect(!error.isBadInput)
        }
        #expect(session.trainer.step == 6, "at the next checkpoint")
        #expect(try session.held.directory.checkpointSteps() == [4, 3])
        if isReplaced { #expect(try place.bytes("run/\(name)") == bytes) }
    }
}
