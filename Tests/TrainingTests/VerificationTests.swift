import Foundation
import Interchange
import Layers
import TensorCore
import Testing
import Training

@Suite struct `Verifying a run` {
    @Test func `finds every step identical, from the beginning and from a checkpoint`() throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 12)
        let whole = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 2).run()
        #expect(whole.isIdentical && whole.steps == 1...12 && whole.checkpoint == 0)
        #expect(whole.checkpointsCompared == 3, "the newest three are kept")
        let part = try RunVerification(path: "\(place.path)/run", steps: 8...11, threads: 1).run()
        #expect(part.isIdentical && part.checkpoint == 6 && part.checkpointsCompared == 1)
    }

    @Test(arguments: [0, 3, 7])
    func `names the step, the shard and the layers of a wrong computation`(shard: Int) throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 12, changing: (8, shard)) { work in
            work.batch = TokenBatchSwap.swapped(work.batch)
        }
        let result = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
        let difference = try #require(result.difference)
        #expect(difference.step == 8 && difference.shards == [shard] && !difference.batchDiffers)
        #expect(difference.layers.contains("recurrent layer 1"), "\(difference.layers)")
        #expect(difference.sentence.hasPrefix("step 8: differs in shard \(shard); gradient of "))
        #expect(try RunVerification(path: "\(place.path)/run", steps: 1...7, threads: 1).run().isIdentical)
    }

    @Test func `tells an update that is wrong from a gradient that is`() throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 4)
        let resumed = try place.resume("run")
        let bias = try #require(resumed.trainer.computer.model.namedParameters.first { $0.name == "output.bias" })
        var values = bias.parameter.values
        values[2] += 0.01
        bias.parameter.assign(values)
        try resumed.train(upTo: 6)
        let result = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
        #expect(result.difference?.step == 5 && result.difference?.shards.count == 8, "\(result)")
    }

    @Test func `names a checkpoint whose parameters are not the ledger's`() throws {
        let place = try RunPlace()
        let session = try place.begin("run", try place.configuration())
        try session.train(upTo: 6)
        let bias = try #require(session.trainer.computer.model.namedParameters.first { $0.name == "output.bias" })
        let held = session.held
        bias.parameter.assign(bias.parameter.values.map(\.nextUp))
        let ledger = try held.resume().ledger
        try held.writeCheckpoint(
            [.tensors(CheckpointFile.parametersName, session.trainer.computer.model.namedTensors)], after: ledger)
        let result = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
        #expect(result.difference == nil && result.differingCheckpoint == 6 && !result.isIdentical)
    }

    @Test func `validates no later than the run's end, whatever interval it has`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration(steps: 5)
        // What earlier versions took; no new run is begun with it.
        (configuration.validationEvery, configuration.checkpointEvery) = (.max, .max)
        try configuration.validate(isBegun: true)
        #expect(throws: ConfigurationError.self) { try configuration.validate() }
        try place.begin("run", configuration).train(upTo: 3)
        try place.resume("run").train(upTo: 5)
        #expect(try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().isIdentical)
    }

    @Test func `refuses steps that are not there, an edited ledger and changed data`() throws {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: 5)
        func sentence(_ steps: ClosedRange<UInt64>? = nil) -> String {
            do {
                _ = try RunVerification(path: "\(place.path)/run", steps: steps, threads: 1).run()
                return "none"
            } catch { return "\(error)" }
        }
        #expect(sentence(3...6) == "--steps 3..6: expected steps from 1 to 5, which the ledger holds")
        let text = try place.bytes("text")
        try place.write(text.dropLast() + [UInt8(ascii: "q")], to: "text")
        #expect(sentence().contains("the data has changed"))
        try place.write(text, to: "text")
        var ledger = try place.bytes("run/ledger.jsonl")
        ledger[12] ^= 1
        try place.write(ledger, to: "run/ledger.jsonl")
        #expect(sentence() == "none")
        let result = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
        #expect(result.finding == nil && !result.isIdentical && result.damages.count == 1)
        #expect(result.damages[0].hasPrefix("\(place.path)/run/ledger.jsonl: line 1 "), "\(result.damages)")
        #expect(result.damages[0].hasSuffix("; line 1 recomputed: what comes next follows from it"))
    }
}

@Suite struct `Comparing two runs` {
    @Test func `finds them identical as far as both go`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        try place.begin("a", configuration).train(upTo: 12)
        try place.begin("b", configuration).train(upTo: 7)
        let comparison = try RunComparison("\(place.path)/a", "\(place.path)/b")
        #expect(comparison.isIdentical && comparison.steps == (12, 7) && comparison.settings.isEmpty)
        configuration.checkpointEvery = 5
        try place.begin("c", configuration).train(upTo: 12)
        let other = try RunComparison("\(place.path)/a", "\(place.path)/c")
        #expect(other.isIdentical && other.settings == ["checkpointEvery: 3 and 5"])
    }

    @Test(arguments: [Cell.rnn, .lstm, .gru])
    func `takes no memory for a model, however large one run.json says that it is`(cell: Cell) throws {
        let place = try RunPlace()
        var configuration = try place.configuration(steps: 3)
        configuration.cell = cell
        try place.begin("a", configuration).train(upTo: 3)
        configuration.lr *= 2
        try place.begin("b", configuration).train(upTo: 3)
        let before = try #require(try RunComparison("\(place.path)/a", "\(place.path)/b").difference)
        #expect(before.parameters.contains("recurrent.weight_hh_l1"), "\(before.parameters)")
        // Its recurrent layers alone would have some 10^14 parameters.
        let text = String(decoding: try place.bytes("a/run.json"), as: UTF8.self)
        let forged = text.replacing("\"hiddenSize\" : 17", with: "\"hiddenSize\" : 1048576")
            .replacing("\"embeddingDim\" : 9", with: "\"embeddingDim\" : 1048576")
        #expect(forged != text)
        try place.write(Array(forged.utf8), to: "a/run.json")
        let comparison = try RunComparison("\(place.path)/a", "\(place.path)/b")
        #expect(comparison.difference == before && comparison.settings.count == 3, "\(comparison.settings)")
    }

    @Test func `names the first difference and the settings that differ`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        try place.begin("a", configuration).train(upTo: 6)
        try place.begin("b", configuration).train(upTo: 6, changing: (3, 5)) { work in
            work.batch = TokenBatchSwap.swapped(work.batch)
        }
        let wrong = try RunComparison("\(place.path)/a", "\(place.path)/b").difference
        #expect(wrong?.step == 3 && wrong?.shards == [5])
        configuration.lr *= 2
        try place.begin("c", configuration).train(upTo: 6)
        let rate = try RunComparison("\(place.path)/a", "\(place.path)/c")
        #expect(rate.difference?.step == 1 && rate.difference?.gradients == [] && rate.difference?.shards == [])
        #expect(rate.difference?.sentence.hasSuffix("the gradients are equal, so it arose in the update") == true)
        #expect(rate.settings.count == 1 && rate.settings[0].hasPrefix("lr: "))
    }
}
