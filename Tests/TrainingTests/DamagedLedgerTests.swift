internal import Foundation
internal import Testing
internal import Training

@Suite struct `A run whose ledger or checkpoints are damaged` {
    private func damageLine(_ number: Int, of place: borrowing RunPlace) throws {
        var bytes = try place.bytes("run/ledger.jsonl")
        let newlines = [-1] + bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }
        bytes[newlines[number - 1] + 30] ^= 1
        try place.write(bytes, to: "run/ledger.jsonl")
    }

    @Test func `goes on from its newest checkpoint when no kept one is older than the damaged line`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let whole = try place.begin("whole", configuration).train(upTo: 12)
        try place.begin("run", configuration).train(upTo: 11)
        try damageLine(2, of: place)
        let damaged = try place.bytes("run/ledger.jsonl")
        let listener = Listener()
        var summary = try place.resume("run", observer: listener).train(upTo: 12)
        let damage = "\(place.path)/run/ledger.jsonl: line 2 is not what its hash was made from"
        #expect(
            listener.notes == [
                "\(damage); no checkpoint is kept from before it; the run goes on from that of step 11, which is whole, and the damaged lines stay as they are for lockstep verify to name"
            ])
        #expect(summary.parametersSHA256 == whole.parametersSHA256 && summary.ledgerHead == whole.ledgerHead)
        #expect(try place.bytes("run/ledger.jsonl").starts(with: damaged), "nothing of the ledger is cut or changed")
        let result = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
        #expect(
            result.finding == nil && result.damages == ["\(damage); line 2 recomputed: what comes next follows from it"]
        )
        #expect(try RunVerification(path: "\(place.path)/run", steps: 3...12, threads: 1).run().isIdentical)
        // Once more, killed in between: behind damage as before it.
        summary = try place.resume("run").train(upTo: 12)
        #expect(summary.ledgerHead == whole.ledgerHead)
    }

    @Test(arguments: ["gone", "empty", "of words", "damaged in its newest line", "cut", "torn", "damaged in two lines"])
    func `goes on from a whole checkpoint whose line is lost, and leaves what is there of the ledger`(what: String)
        throws
    {
        let place = try RunPlace()
        var configuration = try place.configuration()
        configuration.keepCheckpoints = 1
        let whole = try place.begin("whole", configuration).train(upTo: 12)
        try place.begin("run", configuration).train(upTo: 11)
        // The newest alone is left, whatever was the best.
        for step in try RunDirectory("\(place.path)/run").checkpointSteps() where step != 11 {
            let name = "step-" + String(repeating: "0", count: step > 9 ? 6 : 7) + "\(step)"
            try FileManager.default.removeItem(atPath: "\(place.path)/run/checkpoints/\(name)")
        }
        let ledger = try place.bytes("run/ledger.jsonl")
        let ends = ledger.indices.filter { ledger[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
        var damaged = ledger
        switch what {
        case "gone", "empty": damaged = []
        case "of words": damaged = Array("hi\n".utf8)
        case "cut": damaged = Array(ledger[..<ends[7]])
        case "torn": damaged = Array(ledger.dropLast(30))
        case "damaged in two lines": for line in [3, 11] { damaged[ends[line - 2] + 30] ^= 1 }
        default: damaged[ends[9] + 30] ^= 1
        }
        try place.write(damaged, to: "run/ledger.jsonl")
        if what == "gone" { try FileManager.default.removeItem(atPath: "\(place.path)/run/ledger.jsonl") }
        let listener = Listener()
        let summary = try place.resume("run", observer: listener).train(upTo: 12)
        #expect(listener.notes.contains { $0.contains("the run goes on from that of step 11") }, "\(listener.notes)")
        #expect(summary.parametersSHA256 == whole.parametersSHA256 && summary.ledgerHead == whole.ledgerHead)
        let end = damaged.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        #expect(try place.bytes("run/ledger.jsonl").starts(with: damaged[..<end]))
        let result = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
        #expect(result.finding == nil && !result.damages.isEmpty, "\(result)")
        #expect(result.damages.last?.hasSuffix("recomputed: what comes next follows from it") == true, "\(result)")
        #expect(try RunVerification(path: "\(place.path)/run", steps: 12...12, threads: 1).run().isIdentical)
        // What holds is compared, and nothing is claimed of the rest.
        let comparison = try RunComparison("\(place.path)/run", "\(place.path)/whole")
        #expect(comparison.difference == nil && !comparison.isIdentical && !comparison.damages.isEmpty)
        #expect(comparison.steps == (12, 12) && (1...11).contains(comparison.compared))
        #expect(try place.resume("run").storedSummary()?.ledgerHead == whole.ledgerHead)
    }

    @Test func `goes back before the damage where a checkpoint is kept from before it, and is whole again`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let whole = try place.begin("whole", configuration).train(upTo: 12)
        try place.begin("run", configuration).train(upTo: 12)
        try damageLine(8, of: place)
        let listener = Listener()
        let summary = try place.resume("run", observer: listener).train(upTo: 12)
        #expect(summary.ledgerHead == whole.ledgerHead)
        #expect(listener.notes.contains { $0.hasPrefix("checkpoint of step 9 skipped: ") && $0.contains("line 8 ") })
        #expect(
            listener.notes.contains(
                "\(place.path)/run/summary.json: of step 12, which is computed again; removed until then"))
        #expect(try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().isIdentical)
    }

    @Test func `with initial parameters goes on from its newest checkpoint rather than from them`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let given = try place.begin("given", configuration)
        try given.train(upTo: 3)
        let initial = try InitialParameters(
            path: "\(place.path)/given/checkpoints/step-00000003/parameters.safetensors")
        let session = try RunSession.begin(
            at: "\(place.path)/run", configuration: configuration, source: try configuration.makeSource(),
            initial: initial, observer: Listener(), threads: 1)
        try session.train(upTo: 11)
        #expect(try session.held.directory.checkpointSteps() == [11, 9, 6, 0])
        try damageLine(2, of: place)
        #expect(try session.held.resume().checkpoint?.step == 11)
        // With no other left, from them.
        for step in ["11", "09", "06"] {
            try FileManager.default.removeItem(atPath: "\(place.path)/run/checkpoints/step-000000\(step)")
        }
        #expect(try session.held.resume().checkpoint?.step == 0)
    }

    @Test func `is not begun again when its checkpoints are gone`() throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 7)
        let checkpoints = "\(place.path)/run/checkpoints"
        try FileManager.default.moveItem(atPath: checkpoints, toPath: "\(place.path)/aside")
        let ledger = try place.bytes("run/ledger.jsonl")
        func sentence() -> String {
            do {
                _ = try place.resume("run")
                return "none"
            } catch { return "\(error)" }
        }
        let expected =
            "expected step-00000007 in it: put it back, or train the run anew with --run elsewhere, which comes to the same bits"
        #expect(
            sentence()
                == "\(checkpoints): there is no checkpoint, although `latest`, which is written after one, is there; \(expected)"
        )
        try FileManager.default.createDirectory(atPath: checkpoints, withIntermediateDirectories: true)
        try FileManager.default.removeItem(atPath: "\(place.path)/run/latest")
        #expect(
            sentence() == "\(checkpoints): there is no checkpoint, although summary.json is of step 7; \(expected)")
        try FileManager.default.removeItem(atPath: "\(place.path)/run/summary.json")
        #expect(sentence().contains("although the ledger goes on behind that of step 3; expected step-00000003 in it"))
        #expect(try place.bytes("run/ledger.jsonl") == ledger, "nothing is written over")
        // Put back, it goes on.
        try FileManager.default.removeItem(atPath: checkpoints)
        try FileManager.default.moveItem(atPath: "\(place.path)/aside", toPath: checkpoints)
        #expect(try place.resume("run").trainer.step == 7)
        #expect(try place.bytes("run/latest") == Array("7\n".utf8))
    }

    @Test func `begins again when it was killed before its first checkpoint`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        configuration.checkpointEvery = 5
        var session: RunSession? = try place.begin("run", configuration)
        for _ in 1...4 {
            guard let trainer = session?.trainer else { break }
            trainer.beginStep()
            trainer.compute(trainer.wholeStep, threads: 1)
            try session?.stepDone(trainer.finishStep())?({ false })
        }
        session = nil
        #expect(try RunDirectory("\(place.path)/run").readLedger().steps == 4)
        #expect(try place.resume("run").trainer.step == 0)
        #expect(try RunDirectory("\(place.path)/run").readLedger().steps == 0)
    }
}
