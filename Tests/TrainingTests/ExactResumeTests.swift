import Foundation
import Interchange
import Layers
import TensorCore
import Testing
import Training

@Suite struct `A resumed run` {
    private func expectSameFiles(_ place: borrowing RunPlace, _ name: String, _ what: String) throws {
        for file in ["ledger.jsonl", "metrics.jsonl"] {
            #expect(try place.bytes("\(name)/\(file)") == place.bytes("whole/\(file)"), "\(file), \(what)")
        }
    }

    @Test func `ends with the ledger, the metrics and the summary of one that never stopped, wherever it stopped`()
        throws
    {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let whole = try place.begin("whole", configuration).train(upTo: 12)
        #expect(whole.validationLoss != nil)
        for stop in UInt64(1)...11 {
            // Stopped by a signal: with a checkpoint of its own.
            let name = "stopped-\(stop)"
            try place.begin(name, configuration).train(upTo: stop)
            var summary = try place.resume(name).train(upTo: 12)
            try expectSameFiles(place, name, "stopped after step \(stop)")
            (summary.run, summary.seconds, summary.tokensPerSecond) = (whole.run, whole.seconds, whole.tokensPerSecond)
            summary.firstStepMilliseconds = whole.firstStepMilliseconds
            #expect(summary.incarnations == 2 && whole.incarnations == 1)
            summary.incarnations = 1
            #expect(summary == whole)
            // Killed: only what the run itself saves.
            let killed = "killed-\(stop)"
            try kill(place.begin(killed, configuration), after: stop)
            try kill(place.resume(killed), after: min(stop + 2, 11))
            try place.resume(killed).train(upTo: 12)
            try expectSameFiles(place, killed, "killed after step \(stop)")
        }
    }

    /// Takes a session so far and lets go of it without a word.
    private func kill(_ session: RunSession, after step: UInt64) throws {
        while session.trainer.step < step {
            session.trainer.beginStep()
            session.trainer.compute(session.trainer.wholeStep, threads: 2)
            try session.stepDone(session.trainer.finishStep())?({ false })
        }
    }

    @Test func `comes to its end though every holder dies before a checkpoint is asked for`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration(steps: 60)
        configuration.checkpointEvery = 1000
        try place.begin("whole", configuration).train(upTo: 60)
        try kill(place.begin("killed", configuration), after: 8)
        var (lives, reached) = (1, UInt64(0))
        while reached < 60, lives < 40 {
            let session = try place.resume("killed")
            reached = min(session.trainer.step + 8, 60)
            try kill(session, after: reached)
            lives += 1
        }
        #expect(reached == 60 && lives > 8, "\(lives) lives, up to step \(reached)")
        try place.resume("killed").train(upTo: 60)
        // And nothing tells that there were checkpoints in between.
        try expectSameFiles(place, "killed", "after \(lives) lives")
    }

    /// Which checkpoint is the best must not depend on which were written because a holder died, or was stopped, in between.
    @Test(arguments: UInt64(1)...11)
    func `keeps the checkpoints of one that was never disturbed`(stop: UInt64) throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        // Every step is validated, with steps so large that the first is the best, and only each sixth is to be kept.
        (configuration.validationEvery, configuration.checkpointEvery, configuration.keepCheckpoints) = (1, 6, 1)
        configuration.lr = 3
        func kept(_ name: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/\(name)/checkpoints").sorted()
        }
        try place.begin("whole", configuration).train(upTo: 12)
        try kill(place.begin("killed", configuration), after: stop)
        try place.resume("killed").train(upTo: 12)
        #expect(try kept("killed") == kept("whole"))
        try place.begin("stopped", configuration).train(upTo: stop)
        try place.resume("stopped").train(upTo: 12)
        #expect(try kept("stopped") == kept("whole"))
    }

    @Test(arguments: [UInt64(4), 8, 12])
    func `makes up for a validation that was left off`(step: UInt64) throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let whole = try place.begin("whole", configuration).train(upTo: 12)
        try leaveOff(place.begin("left", configuration), step)
        try resumeOnce(place, stopping: true)
        try resumeOnce(place, stopping: false)
        let summary = try resumeOnce(place, stopping: false, upTo: 12)
        try expectSameFiles(place, "left", "validation of step \(step)")
        #expect(summary.validationLoss == whole.validationLoss && summary.trainLoss == whole.trainLoss)
    }

    @Test(arguments: [UInt64(3), 6, 12])
    func `has the best checkpoint of one that never stopped, though it stopped in a validation`(step: UInt64) throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        (configuration.validationEvery, configuration.keepCheckpoints) = (3, 1)
        try place.begin("whole", configuration).train(upTo: step)
        try leaveOff(place.begin("left", configuration), step)
        #expect(try validationLosses(place, "left")[step] == "none")
        // The one that dies in it, too, has it to do.
        try resumeOnce(place, stopping: true)
        try resumeOnce(place, stopping: false)
        #expect(try validationLosses(place, "left") == validationLosses(place, "whole"))
        try place.resume("whole").train(upTo: 12)
        try resumeOnce(place, stopping: false, upTo: 12)
        #expect(try validationLosses(place, "left") == validationLosses(place, "whole"))
        try expectSameFiles(place, "left", "validation of step \(step)")
        #expect(try place.resume("left").storedSummary() != nil)
        #expect(try RunVerification(path: "\(place.path)/left", steps: nil, threads: 1).run().isIdentical)
    }

    /// Of each checkpoint, as its manifest has it.
    private func validationLosses(_ place: borrowing RunPlace, _ name: String) throws -> [UInt64: String] {
        struct Manifest: Decodable {
            let step: UInt64
            let validation_loss: Double?
        }
        var losses: [UInt64: String] = [:]
        for directory in try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/\(name)/checkpoints") {
            let bytes = try place.bytes("\(name)/checkpoints/\(directory)/manifest.json")
            let manifest = try JSONDecoder().decode(Manifest.self, from: Data(bytes))
            losses[manifest.step] = manifest.validation_loss.map { "\($0)" } ?? "none"
        }
        return losses
    }

    /// Stops a session within the validation after `step`.
    private func leaveOff(_ session: RunSession, _ step: UInt64) throws {
        try kill(session, after: step - 1)
        session.trainer.beginStep()
        session.trainer.compute(session.trainer.wholeStep, threads: 1)
        try session.stepDone(session.trainer.finishStep())?({ true })
        #expect(!session.isDone)
        _ = try session.finish()
    }

    @discardableResult
    private func resumeOnce(
        _ place: borrowing RunPlace, stopping: Bool, upTo step: UInt64 = 0
    ) throws -> RunSummary {
        // The session before is gone, or this would be refused.
        let session = try place.resume("left")
        try session.catchUp { stopping }
        return try session.train(upTo: step)
    }

    @Test func `with other settings or other data is refused with what has changed`() throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 5)
        func sentence() -> String {
            do {
                _ = try place.resume("run")
                return "none"
            } catch { return "\(error)" }
        }
        let record = try place.bytes("run/run.json")
        let ledger = try place.bytes("run/ledger.jsonl")
        let text = String(decoding: record, as: UTF8.self)
        for (old, new, change) in [
            (#""hiddenSize" : 17"#, #""hiddenSize" : 18"#, "hiddenSize: 17 and 18"),
            (#""steps" : 12"#, #""steps" : 24"#, "steps: 12 and 24"),
            (#""optimizer" : "adam""#, #""optimizer" : "sgd""#, "optimizer: adam and sgd"),
        ] {
            #expect(text.contains(old))
            try place.write(Array(text.replacing(old, with: new).utf8), to: "run/run.json")
            #expect(
                sentence().hasPrefix("\(place.path)/run/run.json: changed since the run began: \(change); expected "))
        }
        try place.write(record, to: "run/run.json")
        let data = try place.bytes("text")
        try place.write(data + Array("x".utf8), to: "text")
        #expect(sentence().contains("the data has changed: "))
        try place.write(data, to: "text")
        #expect(try place.bytes("run/ledger.jsonl") == ledger, "nothing is cut by a refusal")
        #expect(sentence() == "none")
    }

    @Test func `refuses parameters that are not those of its summary, and writes nothing`() throws {
        let place = try RunPlace()
        let whole = try place.begin("run", try place.configuration()).train(upTo: 12)
        try reseal(place, step: 12)
        let summary = try place.bytes("run/summary.json")
        let error = try #require(throws: RunError.self) { try place.resume("run").storedSummary() }
        #expect(
            error.message.hasPrefix(
                "\(place.path)/run/summary.json: parameters_sha256 is \"\(whole.parametersSHA256)\""))
        #expect(error.message.contains("of the parameters in the checkpoint of step 12"), "\(error)")
        #expect(try place.bytes("run/summary.json") == summary)
        let result = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
        #expect(result.differingCheckpoint == 12, "\(result)")
    }

    /// Changes a byte of a checkpoint's parameters and writes a manifest that it goes with.
    private func reseal(_ place: borrowing RunPlace, step: UInt64) throws {
        let held = try place.resume("run").held
        let checkpoint = try held.directory.checkpoint(step: step)
        let files = try checkpoint.fileNames.map { name in
            var bytes = try checkpoint.bytes(name)
            if name == CheckpointFile.parametersName { bytes[bytes.count - 3] ^= 1 }
            return CheckpointFile.bytes(name, bytes)
        }
        try held.writeCheckpoint(files, after: try held.resume().ledger)
    }

    @Test func `says that its summary was damaged, and writes it again`() throws {
        let place = try RunPlace()
        let whole = try place.begin("run", try place.configuration()).train(upTo: 12)
        #expect(try place.resume("run").storedSummary() == whole)
        try place.write(Array("{".utf8), to: "run/summary.json")
        let listener = Listener()
        let session = try place.resume("run", observer: listener)
        #expect(try session.storedSummary() == nil)
        #expect(listener.notes.last?.hasPrefix("\(place.path)/run/summary.json: ") == true, "\(listener.notes)")
        #expect(listener.notes.last?.hasSuffix("; it is written again") == true)
        let again = try session.train(upTo: 12)
        #expect(again.parametersSHA256 == whole.parametersSHA256 && again.validationLoss == whole.validationLoss)
        #expect(again.trainLoss == whole.trainLoss)
    }
}

@Suite struct `A run from given parameters` {
    private func export(_ place: borrowing RunPlace, _ session: RunSession) throws -> InitialParameters {
        let file = SafetensorsWriter(session.trainer.computer.model.namedTensors).bytes()
        try place.write(file, to: "given.safetensors")
        return try InitialParameters(path: "\(place.path)/given.safetensors")
    }

    private func begin(_ place: borrowing RunPlace, _ name: String, _ initial: InitialParameters) throws -> RunSession {
        let configuration = try place.configuration()
        return try RunSession.begin(
            at: "\(place.path)/\(name)", configuration: configuration, source: try configuration.makeSource(),
            initial: initial, observer: Listener(), threads: 1)
    }

    @Test func `takes them and nothing else, and needs their file no more`() throws {
        let place = try RunPlace()
        let trained = try place.begin("trained", try place.configuration())
        let bits = { (session: RunSession) in
            session.trainer.computer.model.parameters.flatMap { $0.values.map(\.bitPattern) }
        }
        try trained.train(upTo: 12)
        let initial = try export(place, trained)
        let session = try begin(place, "new", initial)
        #expect(session.trainer.step == 0 && bits(session) == bits(trained))
        let whole = try session.train(upTo: 12)
        #expect(try session.held.directory.checkpointSteps().last == 0, "the beginning is kept")
        #expect(whole.parametersSHA256 != (try TrainedRunHash.of("\(place.path)/trained")))
        let killed = try begin(place, "killed", initial)
        withExtendedLifetime(killed) {}
        try begin2(place, initial)
        try FileManager.default.removeItem(atPath: "\(place.path)/given.safetensors")
        let resumed = try place.resume("killed-2").train(upTo: 12)
        #expect(resumed.ledgerHead == whole.ledgerHead)
        #expect(try RunVerification(path: "\(place.path)/new", steps: nil, threads: 1).run().isIdentical)
    }

    /// A run that ends before its first checkpoint.
    private func begin2(_ place: borrowing RunPlace, _ initial: InitialParameters) throws {
        let session = try begin(place, "killed-2", initial)
        session.trainer.beginStep()
        session.trainer.compute(session.trainer.wholeStep, threads: 1)
        try session.stepDone(session.trainer.finishStep())?({ false })
    }

    @Test func `of another model is refused, and nothing is made`() throws {
        let place = try RunPlace()
        var other = try place.configuration()
        other.hiddenSize = 16
        let wrong = try export(place, try place.begin("other", other))
        #expect(sentence { try begin(place, "run", wrong) }.contains("expected F32 of shape"))
        other.hiddenSize = 17
        other.numLayers = 3
        let larger = try export(place, try place.begin("larger", other))
        #expect(sentence { try begin(place, "run", larger) }.contains(#"holds "recurrent."#))
        try place.write(Array("no".utf8), to: "given.safetensors")
        #expect(sentence { try InitialParameters(path: "\(place.path)/given.safetensors") }.hasPrefix("--init-from "))
        #expect(sentence { try begin(place, "run", wrong) }.contains("the file has changed since the run began"))
        #expect(sentence { try InitialParameters(path: "\(place.path)/none") }.contains("expected a safetensors file"))
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }

    private func sentence(_ body: () throws -> some Any) -> String {
        do {
            _ = try body()
            return "none"
        } catch { return "\(error)" }
    }
}

private enum TrainedRunHash {
    static func of(_ path: String) throws -> String {
        try RunDirectory(path).summary()?.parametersSHA256 ?? "no summary"
    }
}
