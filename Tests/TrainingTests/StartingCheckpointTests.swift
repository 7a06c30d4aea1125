import Foundation
import Sequences
import Testing
import Training

@Suite struct `Verifying what a run begins with` {
    private let first = "run/checkpoints/step-00000000"

    private func verify(_ place: borrowing RunPlace, steps: ClosedRange<UInt64>? = nil) throws -> VerificationResult {
        try RunVerification(path: "\(place.path)/run", steps: steps, threads: 1).run()
    }

    /// A run that was given its first parameters.
    private func given() throws -> RunPlace {
        let place = try RunPlace()
        try place.begin("before", try place.configuration(steps: 3)).train(upTo: 3)
        let configuration = try place.configuration(steps: 6)
        let parameters = try InitialParameters(
            path: "\(place.path)/before/checkpoints/step-00000003/parameters.safetensors")
        try RunSession.begin(
            at: "\(place.path)/run", configuration: configuration, source: try configuration.makeSource(),
            initial: parameters, observer: Listener(), threads: 1
        ).train(upTo: 6)
        return place
    }

    @Test func `names whatever file of the checkpoint of step 0 is damaged or gone`() throws {
        let place = try given()
        let whole = try verify(place)
        #expect(whole.isIdentical && whole.checkpointsCompared == 3, "\(whole)")
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/\(first)") {
            let bytes = try place.bytes("\(first)/\(name)")
            var changed = bytes
            changed[changed.count - 3] ^= 1
            for damaged in [changed, nil] {
                try FileManager.default.removeItem(atPath: "\(place.path)/\(first)/\(name)")
                if let damaged { try place.write(damaged, to: "\(first)/\(name)") }
                let result = try verify(place)
                #expect(result.differingCheckpoint == 0 && !result.isIdentical, "\(name): \(result)")
                #expect(result.finding?.hasPrefix("step 0, before the first: the checkpoint is not ") == true)
                #expect(result.finding?.contains(name) == true, "\(name): \(result.finding ?? "")")
                #expect(try verify(place, steps: 2...4).isIdentical, "nothing is said of what was not asked for")
            }
            try place.write(bytes, to: "\(first)/\(name)")
        }
        #expect(try verify(place).isIdentical)
    }

    @Test func `names a checkpoint of step 0 that is whole and another run's`() throws {
        let place = try given()
        let other = try given()
        try FileManager.default.removeItem(atPath: "\(place.path)/\(first)")
        try FileManager.default.copyItem(atPath: "\(other.path)/\(first)", toPath: "\(place.path)/\(first)")
        let result = try verify(place)
        #expect(result.differingCheckpoint == 0 && !result.isIdentical, "\(result)")
    }

    @Test func `says of which checkpoint it is where the parameters' own file is gone too`() throws {
        let place = try given()
        try FileManager.default.removeItem(atPath: "\(place.path)/\(first)/parameters.safetensors")
        try FileManager.default.removeItem(atPath: "\(place.path)/before")
        let error = #expect(throws: RunError.self) { try verify(place) }
        #expect(error?.message.hasPrefix("checkpoint of step 0 skipped: ") == true, "\(String(describing: error))")
        #expect(error?.message.contains("; --init-from") == true, "\(String(describing: error))")
    }

    @Test func `names a checkpoint of step 0 that is lost, though the run could be computed without it`() throws {
        let place = try given()
        let file = "\(place.path)/before/checkpoints/step-00000003/parameters.safetensors"
        try FileManager.default.removeItem(atPath: "\(place.path)/\(first)")
        let result = try verify(place)
        #expect(
            result.finding
                == "step 0, before the first: \(place.path)/\(first) is missing; expected what the run begins with: without it and \(file), steps 1 to 3 cannot be recomputed"
        )
        #expect(result.checkpointsCompared == 2 && result.metricsCompared == 6 && result.summaryCompared, "\(result)")
        #expect(try verify(place, steps: 2...4).isIdentical, "nothing is said of what was not asked for")
    }

    @Test func `says which steps cannot be computed where the parameters' own file is gone as well`() throws {
        let place = try given()
        try FileManager.default.removeItem(atPath: "\(place.path)/\(first)")
        try FileManager.default.removeItem(atPath: "\(place.path)/before")
        for steps in [nil, UInt64(1)...4] {
            let error = #expect(throws: RunError.self) { try verify(place, steps: steps) }
            let sentence = error?.message ?? ""
            #expect(
                sentence.hasPrefix(
                    "\(place.path)/\(first): missing; expected what the run begins with, as its file is gone too: --init-from"
                ), "\(sentence)")
            #expect(
                sentence.hasSuffix("; steps 1 to 3 cannot be recomputed (of those behind them: --steps 4..6)"),
                "\(sentence)")
            #expect(error?.code == .damaged)
        }
        #expect(try verify(place, steps: 4...6).isIdentical)
    }

    @Test(arguments: [false, true])
    func `names what is called as a checkpoint of step 0 in a run that has none`(isEmpty: Bool) throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration(steps: 6)).train(upTo: 6)
        #expect(try verify(place).isIdentical)
        try FileManager.default.createDirectory(atPath: "\(place.path)/\(first)", withIntermediateDirectories: true)
        if !isEmpty { try place.write([1, 2, 3], to: "\(first)/manifest.json") }
        let result = try verify(place)
        #expect(result.differingCheckpoint == 0 && !result.isIdentical, "\(result)")
    }

    @Test func `names a record of step 0 and a latest that names no checkpoint`() throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 12)
        let metrics = try place.bytes("run/metrics.jsonl")
        let line = metrics.split(separator: UInt8(ascii: "\n"))[0]
        let forged = String(decoding: line, as: UTF8.self).replacing("\"step\":1,", with: "\"step\":0,")
            .replacing("\"step\":1}", with: "\"step\":0}")
        try place.write(Array("\(forged)\n".utf8) + metrics, to: "run/metrics.jsonl")
        #expect(try verify(place).finding?.contains("line 1: of step 0; expected one from 1") == true)
        try place.write(metrics, to: "run/metrics.jsonl")
        try place.write(Array("4\n".utf8), to: "run/latest")
        #expect(
            try verify(place).finding
                == "\(place.path)/run/latest: names the checkpoint of step 4; the newest is of step 12")
        try place.write(Array("9\n".utf8), to: "run/latest")
        #expect(try verify(place).isIdentical, "a kill before the newest was named leaves the one before")
    }

    @Test func `names a name of the score that was changed`() throws {
        let place = try RunPlace()
        var configuration = RunConfiguration(data: .generated(.hello))
        (configuration.steps, configuration.validationEvery) = (4, 2)
        try place.begin("run", configuration).train(upTo: 4)
        for (file, prefix) in [("summary.json", "summary.json"), ("metrics.jsonl", "metrics.jsonl")] {
            let bytes = try place.bytes("run/\(file)")
            let text = String(decoding: bytes, as: UTF8.self)
            let forged = text.replacing(try Regex(#""score_name"( ?: ?)"[^"]*""#)) {
                #""score_name"\#($0.output[1].substring ?? ":")"other""#
            }
            #expect(forged != text)
            try place.write(Array(forged.utf8), to: "run/\(file)")
            let result = try verify(place)
            #expect(result.finding?.contains("\(prefix): score_name is other; recomputed, ") == true, "\(result)")
            try place.write(bytes, to: "run/\(file)")
        }
        #expect(try verify(place).isIdentical)
    }
}
