import Coordination
import Interchange
import Layers
import Sequences
import TensorCore
import Testing
import Training

@Suite struct `A step whose numbers are none` {
    private func trainer() throws -> Trainer {
        var configuration = RunConfiguration(data: .generated(.addition))
        configuration.hiddenSize = 9
        configuration.batchSize = 16
        configuration.steps = 5
        return Trainer(configuration, source: try configuration.makeSource())
    }

    private let lossPart = "the loss of the scores that output.weight gives"

    private func bits(_ trainer: Trainer) -> [UInt32] {
        trainer.computer.model.parameters.flatMap { $0.values.map(\.bitPattern) }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `names what was not finite and changes nothing`(value: Float) throws {
        let trainer = try trainer()
        trainer.beginStep()
        trainer.compute(trainer.wholeStep, threads: 1)
        #expect(trainer.finishStep().nonFinite == nil)
        let last = try #require(trainer.computer.model.namedTensors.last?.name)
        let parameter = try #require(trainer.computer.model.parameters.last)
        parameter.storage.assign(parameter.values.map { _ in value })
        let before = bits(trainer)
        trainer.beginStep()
        trainer.compute(trainer.wholeStep, threads: 2)
        let report = trainer.finishStep()
        // Gradients are computed from there backwards.
        #expect(report.nonFinite == "the gradient of \(last)")
        #expect(bits(trainer) == before)
    }

    @Test(arguments: [Float.nan, .infinity])
    func `is found in an answer of one worker, with the parameter's name`(value: Float) throws {
        let trainer = try trainer()
        trainer.beginStep()
        let answer = try #require(trainer.computer.compute(trainer.work(for: ShardRange(0..<8))).first)
        #expect(trainer.nonFinitePart(of: answer) == nil)
        answer.lossSum = .nan
        #expect(trainer.nonFinitePart(of: answer) == lossPart)
        answer.lossSum = 1
        let block = answer.storage
        let index = 5
        let travelled = try trainer.answer(travelled: block, for: answer.subtree)
        unsafe travelled.storage.base[index] = value
        let part = try #require(trainer.nonFinitePart(of: travelled))
        #expect(part.hasPrefix("the gradient of "), "\(part)")
        // Behind it the layers before the output.
        let last = try #require(trainer.computer.layout.entries.last)
        let place = try #require(last.densePlace)
        unsafe travelled.storage.base[place] = value
        travelled.lossSum = .nan
        #expect(trainer.nonFinitePart(of: travelled) == "the gradient of \(last.name)")
    }

    @Test func `is named by the layer whose scores are too large where all gradients are numbers`() throws {
        let trainer = try trainer()
        let scores = try #require(trainer.computer.model.parameters.last)
        scores.storage.assign(scores.values.indices.map { $0 == 0 ? 3e38 : -3e38 })
        trainer.beginStep()
        trainer.compute(trainer.wholeStep, threads: 1)
        let report = trainer.finishStep()
        #expect(report.loss == .infinity && report.nonFinite == lossPart)
        let names = trainer.computer.model.namedTensors.map(\.name)
        #expect(names.contains("output.weight"))
    }

    @Test(arguments: [Float.nan, .infinity])
    func `may have a loss and gradients that are some, and a carried state that is none`(value: Float) throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let trainer = Trainer(configuration, source: try configuration.makeSource())
        trainer.beginStep()
        let answer = try #require(trainer.computer.compute(trainer.work(for: trainer.wholeStep)).first)
        #expect(trainer.nonFinitePart(of: answer) == nil)
        let right = answer.state
        for place in [0, right.count - 1] {
            answer.state = right
            answer.state[place] = value
            let travelled = try trainer.answer(travelled: answer.travelling, for: answer.subtree)
            #expect(trainer.nonFinitePart(of: travelled) == "the carried state")
        }
        // As if nobody had looked at it.
        let before = (bits(trainer), trainer.carried)
        try trainer.add(answer)
        #expect(trainer.finishStep().nonFinite == "the carried state")
        #expect(trainer.step == 0 && bits(trainer) == before.0 && trainer.carried == before.1)
        trainer.beginStep()
        trainer.compute(trainer.wholeStep, threads: 1)
        #expect(trainer.finishStep().nonFinite == nil && trainer.step == 1 && trainer.carried != before.1)
    }
}
