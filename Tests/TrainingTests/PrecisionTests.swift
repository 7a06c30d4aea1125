import Coordination
import Foundation
import Layers
import Optimizers
import Sequences
import TensorCore
import Testing
import Training

@Suite struct `A run in bf16` {
    @Test(arguments: Cell.allCases)
    func `has the same bits however its shards are split, and not those of fp32`(cell: Cell) throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        (configuration.cell, configuration.stream, configuration.precision) = (cell, false, .bf16)
        func trainer(_ configuration: RunConfiguration) throws -> Trainer {
            Trainer(configuration, source: try configuration.makeSource())
        }
        let (whole, split, threaded) = (
            try trainer(configuration), try trainer(configuration), try trainer(configuration)
        )
        configuration.precision = nil
        let exact = try trainer(configuration)
        #expect(whole.computer.model.parameters.allSatisfy { $0.precision == .bf16 })
        #expect(exact.computer.model.parameters.allSatisfy { $0.precision == .fp32 })
        func bits(_ trainer: Trainer) -> [UInt32] {
            trainer.computer.model.parameters.flatMap { $0.values.map(\.bitPattern) }
        }
        #expect(bits(whole) == bits(exact), "the first parameters are the same")
        for ranges in [[0..<3, 3..<8], [0..<1, 1..<7, 7..<8], [0..<5, 5..<6, 6..<8]] {
            for (trainer, threads) in [(whole, 1), (threaded, 3), (exact, 1)] {
                trainer.beginStep()
                trainer.compute(trainer.wholeStep, threads: threads)
                _ = trainer.finishStep()
            }
            split.beginStep()
            // A worker makes the model of what it is told in the handshake.
            let worker = try #require(ShardComputer.make(split.modelBytes) as? ShardComputer)
            worker.importParameters(split.exportParameters())
            for range in ranges.reversed() {
                let work = try ShardWork(decoding: split.work(for: ShardRange(range)).encoded())
                for answer in worker.compute(work).reversed() { try split.add(answer) }
            }
            _ = split.finishStep()
            #expect(bits(whole) == bits(split) && bits(whole) == bits(threaded))
        }
        #expect(bits(whole) != bits(exact))
    }

    @Test func `resumes exactly and is verified`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        configuration.precision = .bf16
        let whole = try place.begin("whole", configuration).train(upTo: 12)
        try place.begin("parts", configuration).train(upTo: 7)
        let resumed = try place.resume("parts").train(upTo: 12)
        #expect(resumed.parametersSHA256 == whole.parametersSHA256 && resumed.ledgerHead == whole.ledgerHead)
        let verified = try RunVerification(path: "\(place.path)/parts", steps: nil, threads: 2).run()
        #expect(verified.isIdentical && verified.steps == 1...12)
        let trained = try TrainedRun(path: "\(place.path)/whole")
        #expect(trained.model.parameters.allSatisfy { $0.precision == .bf16 })
        configuration.precision = nil
        let exact = try place.begin("exact", configuration).train(upTo: 12)
        #expect(exact.parametersSHA256 != whole.parametersSHA256)
    }

    @Test func `says so in its record; one in fp32 says nothing, as those that were begun before there was a choice`()
        throws
    {
        var configuration = RunConfiguration(data: .generated(.hello))
        let before = try JSONEncoder().encode(configuration)
        #expect(!String(decoding: before, as: UTF8.self).contains("precision"))
        let old = try JSONDecoder().decode(RunConfiguration.self, from: before)
        #expect(old == configuration && old.precision == nil)
        configuration.precision = .bf16
        let written = try JSONEncoder().encode(configuration)
        #expect(String(decoding: written, as: UTF8.self).contains(#""precision":"bf16""#))
        let read = try JSONDecoder().decode(RunConfiguration.self, from: written)
        #expect(read == configuration && read.precision == .bf16)
        #expect(Precision.fp32.recorded == nil && Precision.bf16.recorded == .bf16)
    }

    @Test(arguments: Cell.allCases, [1, 3])
    func `goes on one token at a time with the bits of whole sequences`(cell: Cell, rows: Int) {
        let model = LanguageModel(
            ModelDescription(
                cell: cell, vocabularySize: 67, embeddingDim: 13, hiddenSize: 37, numLayers: 2, precision: .bf16,
                seed: 5))
        let steps = 9
        let tokens = (0..<Int32(steps * rows)).map { ($0 * 31 + 7) % 67 }
        let whole = withoutGradients { model(IntTensor(tokens, shape: [steps, rows])).logits.values }
        let recurrence = model.recurrence(rows: rows)
        var stepwise: [Float] = []
        for step in 0..<steps {
            recurrence.advance(Array(tokens[step * rows..<(step + 1) * rows]))
            stepwise += unsafe Array(recurrence.scores.floats)
        }
        #expect(stepwise.map(\.bitPattern) == whole.map(\.bitPattern))
    }

    @Test func `of one's own task has the same bits on workers, and tells those of another precision`() throws {
        let task = Tagging()
        func trainer(_ precision: Precision) -> ModuleTrainer<Tagging> {
            ModuleTrainer(
                task, steps: 4, shards: 8, seed: 3, precision: precision, clipNorm: 0, learningRate: nil,
                optimizer: { Adam($0, learningRate: 0.01) })
        }
        let (whole, worked, exact) = (trainer(.bf16), trainer(.bf16), trainer(.fp32))
        #expect(whole.modelBytes == worked.modelBytes && whole.modelBytes != exact.modelBytes)
        for _ in 0..<2 {
            for trainer in [whole, exact] {
                trainer.beginStep()
                trainer.compute(trainer.wholeStep, threads: 2)
                _ = trainer.finishStep()
            }
            worked.beginStep()
            let block = worked.exportParameters()
            for range in [0..<3, 3..<8].map({ ShardRange($0) }) {
                let worker = ModuleComputer(task, seed: 3, precision: .bf16)
                worker.importParameters(block)
                for answer in try worker.answers(to: worked.assignment(for: range), step: worked.step, shards: range) {
                    try worked.add(answer)
                }
            }
            _ = worked.finishStep()
        }
        #expect(whole.bits == worked.bits && whole.bits != exact.bits)
    }
}
