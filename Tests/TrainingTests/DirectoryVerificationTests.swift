import Foundation
import Interchange
import Layers
import TensorCore
import Testing
import Training

@Suite struct `Verifying a run's directory` {
    private func verify(_ place: borrowing RunPlace, steps: ClosedRange<UInt64>? = nil) throws -> VerificationResult {
        try RunVerification(path: "\(place.path)/run", steps: steps, threads: 1).run()
    }

    private func lines(_ place: borrowing RunPlace, _ name: String) throws -> [[UInt8]] {
        try place.bytes("run/\(name)").split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
    }

    private func trained(upTo step: UInt64 = 12) throws -> RunPlace {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: step)
        return place
    }

    @Test func `counts what was compared, and claims no more than was asked`() throws {
        let place = try trained()
        let whole = try verify(place)
        #expect(whole.isIdentical && whole.isWhole && whole.summaryCompared)
        #expect(whole.checkpointsCompared == 3 && whole.metricsCompared == 12 && whole.notes.isEmpty, "\(whole)")
        let part = try verify(place, steps: 2...5)
        #expect(part.isIdentical && !part.isWhole && !part.summaryCompared && part.metricsCompared == 4)
        #expect(part.ledgerSteps == 12 && part.runSteps == 12)
        let stopped = try trained(upTo: 7)
        let unfinished = try verify(stopped)
        #expect(unfinished.isIdentical && unfinished.summaryCompared && unfinished.ledgerSteps == 7, "\(unfinished)")
    }

    @Test(arguments: [(0, "the checkpoint"), (1, "summary.json"), (2, "metrics.jsonl"), (3, "latest")])
    func `names a ledger that ends before any file of the run`(gone: Int, witness: String) throws {
        let place = try trained()
        try place.write(Array(try lines(place, "ledger.jsonl").dropLast(2).joined()), to: "run/ledger.jsonl")
        let files = ["checkpoints/step-00000012", "summary.json", "metrics.jsonl", "latest"]
        for file in files.prefix(gone) {
            if file == "metrics.jsonl" {
                try place.write(Array(try lines(place, file).dropLast(2).joined()), to: "run/\(file)")
            } else {
                try FileManager.default.removeItem(atPath: "\(place.path)/run/\(file)")
            }
        }
        let result = try verify(place)
        #expect(
            result.finding
                == "step 11: \(place.path)/run/ledger.jsonl ends at step 10; expected step 12 as its last, of which \(witness) is"
        )
        #expect(try verify(place, steps: 3...8).isIdentical, "nothing is said of what was not asked for")
    }

    @Test func `names whatever file of a checkpoint is damaged or other than recomputed`() throws {
        let place = try trained()
        let checkpoint = "run/checkpoints/step-00000012"
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/\(checkpoint)") {
            let whole = try place.bytes("\(checkpoint)/\(name)")
            var bytes = whole
            bytes[bytes.count - 3] ^= 1
            try place.write(bytes, to: "\(checkpoint)/\(name)")
            let result = try verify(place)
            #expect(result.differingCheckpoint == 12 && result.difference == nil, "\(name): \(result)")
            #expect(result.finding?.hasPrefix("step 12: the ledger is identical, but not the checkpoint: ") == true)
            #expect(result.finding?.contains(name) == true, "\(name): \(result.finding ?? "")")
            #expect(try verify(place, steps: 1...11).isIdentical)
            try place.write(whole, to: "\(checkpoint)/\(name)")
        }
        #expect(try verify(place).isIdentical)
    }

    @Test(arguments: ["exp_avg.output.bias", "exp_avg_sq.recurrent.weight_hh_l1", "state", "output.weight"])
    func `names a checkpoint that was forged with a manifest of its own`(tensor: String) throws {
        let place = try trained(upTo: 11)
        let session = try place.resume("run")
        // All the files of step 11, one number of them another.
        let checkpoint = try session.held.directory.checkpoint(step: 11)
        let files = try checkpoint.fileNames.map { name in
            guard name.hasSuffix(".safetensors") else { return CheckpointFile.bytes(name, try checkpoint.bytes(name)) }
            let file = try checkpoint.tensors(name)
            return CheckpointFile.tensors(
                name,
                try file.names.map { each in
                    var bytes = try file.bytes(each)
                    if each == tensor { bytes[0] ^= 1 }
                    let shape = try #require(Self.shapes(session)[each] ?? (each == "state" ? [24, 68] : nil))
                    return NamedTensor(name: each, shape: shape, type: .float32, bytes: bytes)
                }, metadata: file.metadata)
        }
        try session.held.writeCheckpoint(files, after: try session.held.resume().ledger)
        let result = try verify(place)
        #expect(result.differingCheckpoint == 11, "\(result)")
        #expect(result.finding?.hasSuffix("other values of \(tensor) than recomputed") == true, "\(result)")
    }

    private static func shapes(_ session: RunSession) -> [String: [Int]] {
        var shapes: [String: [Int]] = [:]
        for (name, parameter) in session.trainer.computer.model.namedParameters {
            for prefix in ["", "exp_avg.", "exp_avg_sq."] { shapes[prefix + name] = parameter.shape }
        }
        return shapes
    }

    @Test(arguments: [
        ("steps", "11"), ("train_loss", "0.25"), ("validation_loss", "0.25"), ("validation_loss", "null"),
        ("parameters", "5"), ("parameters_sha256", #""ab""#), ("ledger_head", #""cd""#), ("steps", "13"),
        ("train_loss", #""NaN""#), ("validation_loss", #""NaN""#), ("train_loss", #""-Infinity""#),
    ])
    func `names the member of a summary that was forged`(member: String, value: String) throws {
        let place = try trained()
        let text = String(decoding: try place.bytes("run/summary.json"), as: UTF8.self)
        let pattern = try Regex(#""\#(member)" : [^,\n]*"#)
        let forged = text.replacing(pattern, with: #""\#(member)" : \#(value)"#)
        #expect(forged != text)
        try place.write(Array(forged.utf8), to: "run/summary.json")
        let result = try verify(place)
        #expect(!result.isIdentical && result.difference == nil && result.differingCheckpoint == nil, "\(result)")
        if member != "steps" {
            #expect(
                result.finding?.hasPrefix("step 12: the ledger is identical, but not summary.json: \(member) is ")
                    == true, "\(result)")
        }
    }

    @Test(arguments: ["loss", "learning_rate", "gradient_norm", "validation_loss"])
    func `names the record of metrics that was forged`(member: String) throws {
        let place = try trained()
        var lines = try lines(place, "metrics.jsonl")
        let text = String(decoding: lines[7], as: UTF8.self)
        let forged = text.replacing(try Regex(#""\#(member)":[0-9.e-]*"#), with: #""\#(member)":0.125"#)
        #expect(forged != text)
        lines[7] = Array(forged.utf8)
        try place.write(Array(lines.joined()), to: "run/metrics.jsonl")
        let result = try verify(place)
        #expect(
            result.finding?.hasPrefix("step 8: the ledger is identical, but not metrics.jsonl: \(member) is 0.125; ")
                == true, "\(result)")
    }

    @Test(arguments: [1, 5, 8, 12])
    func `names the first record of metrics that is missing, whatever is in its place`(step: Int) throws {
        let place = try trained()
        let whole = try lines(place, "metrics.jsonl")
        let missing =
            "step \(step): the ledger is identical, but metrics.jsonl has no record of the step; expected one"
        for damage in [[], Array("{}\n".utf8), whole[step - 1].dropFirst(4) + []] {
            var lines = whole
            lines[step - 1] = damage
            try place.write(Array(lines.joined()), to: "run/metrics.jsonl")
            let finding = try #require(try verify(place).finding)
            #expect(
                damage.isEmpty
                    ? finding == missing
                    : finding.hasPrefix("\(missing); \(place.path)/run/metrics.jsonl: line \(step): "), "\(finding)")
            if step > 1 { #expect(try verify(place, steps: 1...UInt64(step - 1)).isIdentical) }
        }
        // A line twice, and one too many.
        try place.write(Array((whole[..<7] + whole[6...]).joined()), to: "run/metrics.jsonl")
        #expect(try verify(place).finding == "\(place.path)/run/metrics.jsonl: line 8: of step 7, after step 7")
        try place.write(Array((whole + [Array("x\n".utf8)]).joined()), to: "run/metrics.jsonl")
        #expect(try verify(place).finding?.hasPrefix("\(place.path)/run/metrics.jsonl: line 13: ") == true)
    }

    @Test func `takes a record that is written meanwhile, and no ledger that is cut meanwhile`() throws {
        let place = try trained()
        let metrics = try lines(place, "metrics.jsonl")
        try place.write(Array(metrics.dropLast().joined()), to: "run/metrics.jsonl")
        let verification = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1)
        try place.write(Array(metrics.joined()), to: "run/metrics.jsonl")
        let result = try verification.run()
        #expect(result.isIdentical && result.metricsCompared == 12, "\(result)")
        let ledger = try lines(place, "ledger.jsonl")
        let again = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1, patience: 2)
        try place.write(Array(ledger[..<9].joined()), to: "run/ledger.jsonl")
        do {
            let result = try again.run()
            Issue.record("\(result)")
        } catch let error as RunError {
            #expect(error.isBadInput, "neither identical nor different can be said")
            #expect(
                error.message.hasPrefix(
                    "\(place.path)/run/ledger.jsonl: ends at step 9 now, and went on to step 12 when "), "\(error)")
        }
    }

    @Test func `names a record of metrics without the validation that was due`() throws {
        let place = try trained()
        let text = String(decoding: try place.bytes("run/metrics.jsonl"), as: UTF8.self)
        let forged = text.replacing(try Regex(#","validation_loss":[0-9.e-]*"#), with: "", maxReplacements: 1)
        #expect(forged != text)
        try place.write(Array(forged.utf8), to: "run/metrics.jsonl")
        let finding = try #require(try verify(place).finding)
        #expect(
            finding.hasPrefix(
                "step 4: the ledger is identical, but not metrics.jsonl: validation_loss is null; recomputed, "),
            "\(finding)")
    }

    @Test(arguments: [
        (#""lastLoss" : "#, #""lastLoss" : 1"#, "lastLoss is 1"),
        (#""hasDiverged" : "#, #""hasDiverged" : true, "was" : "#, "hasDiverged is true; recomputed, false"),
        (#""tokens" : "#, #""tokens" : 1"#, "validation.tokens is 1"),
        (#""loss" : "#, #""loss" : 1"#, "validation.loss is 1"),
        (#""validation" : "#, #""other" : "#, "validation.loss is null; recomputed, "),
        (#""batchSize" : "#, #""batchSize" : 1"#, "of other settings than run.json: batchSize: 124 and 24"),
        (#""run" : ""#, #""run" : "a"#, "of other settings than run.json: run: "),
        (#""hasDiverged" : "#, #""score" : {"name" : "x", "value" : 1}, "hasDiverged" : "#, "score.name is x"),
        (
            #""hasDiverged" : "#,
            #""pending" : {"step" : 11, "loss" : 1, "learning_rate" : 1, "gradient_norm" : 1}, "hasDiverged" : "#,
            "pending.step is 11; recomputed, null"
        ),
    ])
    func `names the member of a session that was forged with a manifest of its own`(
        old: String, new: String, difference: String
    ) throws {
        let place = try trained(upTo: 11)
        let session = try place.resume("run")
        let checkpoint = try session.held.directory.checkpoint(step: 11)
        let files = try checkpoint.fileNames.map { name in
            let bytes = try checkpoint.bytes(name)
            guard name == "session.json" else { return CheckpointFile.bytes(name, bytes) }
            let text = String(decoding: bytes, as: UTF8.self)
            let forged = text.replacing(old, with: new, maxReplacements: 1)
            #expect(forged != text, "\(text)")
            return CheckpointFile.bytes(name, Array(forged.utf8))
        }
        #expect(try verify(place).isIdentical)
        try session.held.writeCheckpoint(files, after: try session.held.resume().ledger)
        let result = try verify(place)
        #expect(result.differingCheckpoint == 11, "\(result)")
        #expect(result.finding?.contains("but not the checkpoint: session.json: \(difference)") == true, "\(result)")
    }

    @Test func `recomputes damaged lines, and says whether the next follows from them`() throws {
        let place = try trained()
        let whole = try lines(place, "ledger.jsonl")
        // Lines 4 to 6 are gone; what is there follows from what was there.
        try place.write(Array((whole[..<3] + whole[6...]).joined()), to: "run/ledger.jsonl")
        let gone = try verify(place)
        #expect(gone.finding == nil && !gone.isIdentical)
        #expect(
            gone.damages == [
                "\(place.path)/run/ledger.jsonl: line 4 is of step 7; expected step 4; lines 4 to 6 recomputed: what comes next follows from it"
            ])
        #expect(try verify(place, steps: 7...12).isIdentical && verify(place, steps: 1...3).isIdentical)
        #expect(try verify(place, steps: 5...12).damages.count == 1)
        // What follows is of another run, from its fourth step on.
        var other = try place.configuration()
        other.checkpointEvery = 4
        try place.begin("other", other).train(upTo: 12)
        let foreign = try place.bytes("other/ledger.jsonl").split(separator: UInt8(ascii: "\n")).map {
            Array($0) + [UInt8(ascii: "\n")]
        }
        try place.write(Array((whole[..<4] + foreign[4...]).joined()), to: "run/ledger.jsonl")
        let mixed = try verify(place)
        #expect(!mixed.isIdentical && "\(mixed)".contains("line 5 does not follow from the line before it"))
        // The last line is none.
        try place.write(Array((whole[..<11] + [Array("x\n".utf8)]).joined()), to: "run/ledger.jsonl")
        #expect(
            try verify(place).damages == [
                "\(place.path)/run/ledger.jsonl: line 12 is not a line of a ledger; line 12 recomputed: none comes after"
            ])
    }
}
