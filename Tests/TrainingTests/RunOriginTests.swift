import Foundation
import Testing
import Training

@Suite struct `What a run began with` {
    /// A run that ended before its first checkpoint.
    private func begun(_ place: borrowing RunPlace, steps: UInt64 = 2) throws {
        let session = try place.begin("run", try place.configuration())
        while session.trainer.step < steps {
            session.trainer.beginStep()
            session.trainer.compute(session.trainer.wholeStep, threads: 1)
            try session.stepDone(session.trainer.finishStep())?({ false })
        }
    }

    /// What `resume` and `verify` say.
    private func sentences(_ place: borrowing RunPlace, _ name: String = "run") -> [String] {
        func sentence(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "none"
            } catch { return "\(error)" }
        }
        let verified = sentence { _ = try RunVerification(path: "\(place.path)/\(name)", steps: nil, threads: 1) }
        return [sentence { _ = try place.resume(name) }, verified]
    }

    @Test(arguments: [
        (#""hiddenSize" : 17"#, #""hiddenSize" : 18"#, "hiddenSize: 17 and 18"),
        (#""validationEvery" : 4"#, #""validationEvery" : 2"#, "validationEvery: 4 and 2"),
        (#""version" : "0"#, #""version" : "9"#, "version: 0.1.0 and 9.1.0"),
        (#""run" : ""#, #""run" : "0123456789abcdef0123456789abcdef", "was" : ""#, "run: "),
        (#""data_sha256" : ""#, #""data_sha256" : "0"#, "data_sha256: "),
    ])
    func `is held against what is there, before there is a checkpoint`(old: String, new: String, change: String) throws
    {
        let place = try RunPlace()
        try begun(place)
        #expect(try RunDirectory("\(place.path)/run").checkpointSteps().isEmpty)
        let record = try place.bytes("run/run.json")
        let ledger = try place.bytes("run/ledger.jsonl")
        let edited = String(decoding: record, as: UTF8.self).replacing(old, with: new)
        #expect(Array(edited.utf8) != record)
        try place.write(Array(edited.utf8), to: "run/run.json")
        for sentence in sentences(place) {
            #expect(
                sentence.hasPrefix("\(place.path)/run/run.json: changed since the run began: \(change)"), "\(sentence)")
        }
        #expect(try place.bytes("run/ledger.jsonl") == ledger, "nothing is cut by a refusal")
        try place.write(record, to: "run/run.json")
        #expect(sentences(place)[1...] == ["none"])
        #expect(try place.resume("run").trainer.step == 0)
    }

    @Test func `is in the ledger too, so that its file may be lost but not go against it`() throws {
        let place = try RunPlace()
        try begun(place)
        let (record, origin) = (try place.bytes("run/run.json"), try place.bytes("run/origin.json"))
        try FileManager.default.removeItem(atPath: "\(place.path)/run/origin.json")
        let edited = String(decoding: record, as: UTF8.self).replacing(#""seqLen" : 9"#, with: #""seqLen" : 8"#)
        try place.write(Array(edited.utf8), to: "run/run.json")
        for sentence in sentences(place) {
            #expect(
                sentence.hasPrefix(
                    "\(place.path)/run/run.json: not the settings or the data that the ledger begins from; "),
                "\(sentence)")
        }
        // Whole but for the file: it is written again.
        try place.write(record, to: "run/run.json")
        let listener = Listener()
        #expect(try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().isIdentical)
        _ = try place.resume("run", observer: listener)
        #expect(
            listener.notes.contains(
                "\(place.path)/run/origin.json: missing; written again from run.json, from which the ledger begins"))
        #expect(try place.bytes("run/origin.json") == origin)
        // Both of another run: the ledger knows.
        var other = try place.configuration()
        other.lr = 0.5
        try place.begin("other", other).train(upTo: 3)
        try place.begin("run-2", try place.configuration()).train(upTo: 3)
        for name in ["run.json", "origin.json"] { try place.write(place.bytes("other/\(name)"), to: "run-2/\(name)") }
        for sentence in sentences(place, "run-2") {
            #expect(
                sentence.hasPrefix("\(place.path)/run-2/ledger.jsonl: its first line follows from other settings or "),
                "\(sentence)")
        }
    }

    @Test func `is sealed against damage anywhere`() throws {
        let place = try RunPlace()
        try begun(place, steps: 1)
        let whole = try place.bytes("run/origin.json")
        for index in stride(from: 0, to: whole.count, by: 5) {
            var bytes = whole
            bytes[index] ^= 2
            try place.write(bytes, to: "run/origin.json")
            // White space between members means nothing, whatever it is.
            guard whole[index] != UInt8(ascii: " "), whole[index] != UInt8(ascii: "\n") else { continue }
            for sentence in sentences(place) {
                #expect(sentence.hasPrefix("\(place.path)/run/origin.json: "), "byte \(index): \(sentence)")
            }
        }
    }

    @Test func `makes equal ledgers of equal runs, wherever they and their data lie`() throws {
        let here = try RunPlace()
        let there = try RunPlace()
        let first = try here.begin("a", try here.configuration()).train(upTo: 5)
        let second = try there.begin("b", try there.configuration()).train(upTo: 5)
        #expect(first.ledgerHead == second.ledgerHead)
        #expect(try here.bytes("a/ledger.jsonl") == there.bytes("b/ledger.jsonl"))
        var other = try here.configuration()
        other.steps = 11
        #expect(try here.begin("c", other).train(upTo: 5).ledgerHead != first.ledgerHead)
    }

    @Test func `is not known of a run of an earlier version, which goes on as it did`() throws {
        let place = try RunPlace()
        let whole = try place.begin("whole", try place.configuration()).train(upTo: 12)
        try place.begin("new", try place.configuration()).train(upTo: 7)
        let new = try RunDirectory("\(place.path)/new")
        // The same run as it was written before: its first line follows from nothing.
        do {
            let old = try RunDirectory.create(
                at: "\(place.path)/old", configuration: new.configuration(as: RunRecord.self))
            let resumption = try old.resume()
            var entries: [LedgerEntry] = []
            _ = try new.readLedger { entries.append($0) }
            for entry in entries { try resumption.ledger.append(entry) }
            let checkpoint = try new.checkpoint(step: 7)
            try old.writeCheckpoint(
                checkpoint.fileNames.map { .bytes($0, try checkpoint.bytes($0)) }, after: resumption.ledger)
        }
        try place.write(place.bytes("new/metrics.jsonl"), to: "old/metrics.jsonl")
        #expect(sentences(place, "old") == ["none", "none"])
        let summary = try place.resume("old").train(upTo: 12)
        #expect(summary.parametersSHA256 == whole.parametersSHA256 && summary.ledgerHead != whole.ledgerHead)
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/old/origin.json"))
        #expect(try RunVerification(path: "\(place.path)/old", steps: nil, threads: 1).run().isIdentical)
        let record = String(decoding: try place.bytes("old/run.json"), as: UTF8.self)
        try place.write(
            Array(record.replacing("\"hiddenSize\" : 17", with: "\"hiddenSize\" : 18").utf8), to: "old/run.json")
        #expect(sentences(place, "old")[0].hasPrefix("\(place.path)/old/run.json: changed since step 12: hiddenSize: "))
    }

    @Test(arguments: [
        // Fewer layers of the same shapes, an activation, and symbols in another order: all of it could be computed with.
        (#""numLayers" : 2"#, #""numLayers" : 1"#, "numLayers: 2 and 1"),
        (#""nonlinearity" : "tanh""#, #""nonlinearity" : "relu""#, "nonlinearity: tanh and relu"),
        (#""symbols" : " bc"#, #""symbols" : " cb"#, "vocabulary"),
    ])
    func `is what a trained model is used with`(old: String, new: String, change: String) throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 3)
        let record = String(decoding: try place.bytes("run/run.json"), as: UTF8.self)
        let edited = record.replacing(old, with: new)
        #expect(edited != record, "\(record)")
        try place.write(Array(edited.utf8), to: "run/run.json")
        do {
            _ = try TrainedRun(path: "\(place.path)/run")
            Issue.record("taken")
        } catch let error as RunError {
            #expect(
                error.message
                    == "\(place.path)/run/run.json: not of the model that was trained up to step 3: \(change); expected the settings that the run began with"
            )
            #expect(error.isBadInput)
        }
        // Where the text lies by now is nothing to the model.
        let moved = record.replacing("\(place.path)/text", with: "/elsewhere/text")
        #expect(moved != record)
        try place.write(Array(moved.utf8), to: "run/run.json")
        #expect(try TrainedRun(path: "\(place.path)/run").step == 3)
    }

    @Test func `is where to look for settings that cannot be read any more`() throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 4)
        let record = try place.bytes("run/run.json")
        let remedy =
            "; origin.json has it as it was when the run began, as its member `record`: put that in its place"
        try place.write(Array(record.prefix(200)), to: "run/run.json")
        for sentence in sentences(place) {
            #expect(sentence.hasPrefix("\(place.path)/run/run.json: it is not JSON") && sentence.hasSuffix(remedy))
        }
        try FileManager.default.removeItem(atPath: "\(place.path)/run/run.json")
        for sentence in sentences(place) { #expect(sentence.hasSuffix("is missing\(remedy)"), "\(sentence)") }
        // As it says.
        let origin = try JSONSerialization.jsonObject(with: Data(place.bytes("run/origin.json"))) as? [String: Any]
        let member = try #require(origin?["record"])
        try place.write(Array(JSONSerialization.data(withJSONObject: member)), to: "run/run.json")
        #expect(sentences(place) == ["none", "none"])
        // The other way about.
        try place.write(Array("{".utf8), to: "run/origin.json")
        for sentence in sentences(place) {
            #expect(sentence.hasSuffix("; moved away, run.json is held against the ledger alone"), "\(sentence)")
        }
        try FileManager.default.removeItem(atPath: "\(place.path)/run/origin.json")
        #expect(sentences(place) == ["none", "none"])
    }

    /// What is left to say is said, and nothing that is not known.
    @Test(arguments: ["no ledger", "an empty ledger", "a damaged first line", "a damaged first line and no more"])
    func `is presumed from run.json where the ledger's first line is lost too`(what: String) throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 7)
        let ledger = "\(place.path)/run/ledger.jsonl"
        let lines = try place.bytes("run/ledger.jsonl").split(separator: UInt8(ascii: "\n"))
        try FileManager.default.removeItem(atPath: "\(place.path)/run/origin.json")
        switch what {
        case "no ledger": try FileManager.default.removeItem(atPath: ledger)
        case "an empty ledger": try place.write([], to: "run/ledger.jsonl")
        case "a damaged first line and no more": try place.write(Array("x\n".utf8), to: "run/ledger.jsonl")
        default:
            let rest = lines.dropFirst().flatMap { Array($0) + [UInt8(ascii: "\n")] }
            try place.write(Array("x\n".utf8) + rest, to: "run/ledger.jsonl")
        }
        let sentence =
            "\(place.path)/run/origin.json: missing, and so is the ledger's first line: that run.json has the settings and the data that the run began with is known only as far as its checkpoints bear them out"
        func verified() throws -> VerificationResult {
            try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
        }
        let result = try verified()
        #expect(result.finding == nil && result.damages.count == 1, "\(result)")
        #expect(result.checkpointsCompared == 3 && result.notes == [sentence], "\(result)")
        if what == "a damaged first line" {
            #expect(result.damages.first?.hasSuffix("line 1 recomputed: what comes next follows from it") == true)
        }
        let listener = Listener()
        let summary = try place.resume("run", observer: listener).train(upTo: 12)
        #expect(listener.notes.contains(sentence), "\(listener.notes)")
        #expect(
            summary.parametersSHA256
                == (try place.begin("whole", try place.configuration()).train(upTo: 12).parametersSHA256))
        let later = try verified()
        #expect(later.finding == nil && later.notes == [sentence], "\(later)")
    }

    @Test func `that is damaged says what is left when the ledger is lost`() throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 3)
        try place.write(Array("{".utf8), to: "run/origin.json")
        try FileManager.default.removeItem(atPath: "\(place.path)/run/ledger.jsonl")
        let remedy =
            "; moved away, run.json is held against the settings in the checkpoints alone: the ledger has no first line either"
        for attempt in [
            { _ = try RunVerification(path: $0, steps: nil, threads: 1) },
            { _ = try RunSession.resume(at: $0, observer: Listener(), threads: 1) },
        ] as [(String) throws -> Void] {
            do {
                try attempt("\(place.path)/run")
                Issue.record("nothing was said")
            } catch let error as RunError {
                #expect(error.message.hasSuffix(remedy), "\(error)")
            }
        }
    }
}
