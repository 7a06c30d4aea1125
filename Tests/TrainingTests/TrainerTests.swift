import Coordination
import Foundation
import Layers
import Sequences
import TensorCore
import Testing
import Training

private func smallRun(cell: Cell, data: RunConfiguration.DataSet = .generated(.addition)) -> RunConfiguration {
    var configuration = RunConfiguration(data: data)
    configuration.cell = cell
    configuration.hiddenSize = 17
    configuration.numLayers = 2
    configuration.dropout = 0.2
    configuration.batchSize = 24
    configuration.shards = 8
    configuration.steps = 6
    return configuration
}

private func bits(_ trainer: Trainer) -> [UInt32] {
    trainer.computer.model.parameters.flatMap { $0.values.map(\.bitPattern) }
}

@Suite struct `A step` {
    @Test(arguments: Cell.allCases)
    func `gives the same bits however its shards are split and in whatever order answers come`(cell: Cell) throws {
        let configuration = smallRun(cell: cell)
        let source = try configuration.makeSource()
        let whole = Trainer(configuration, source: source)
        let split = Trainer(configuration, source: source)
        let threaded = Trainer(configuration, source: source)
        let start = bits(whole)
        for ranges in [[0..<3, 3..<8], [0..<1, 1..<7, 7..<8], [0..<5, 5..<6, 6..<8]] {
            whole.beginStep()
            whole.compute(whole.wholeStep, threads: 1)
            _ = whole.finishStep()
            threaded.beginStep()
            threaded.compute(threaded.wholeStep, threads: 3)
            _ = threaded.finishStep()
            split.beginStep()
            for range in ranges.reversed() {
                let sent = try ShardWork(decoding: split.work(for: ShardRange(range)).encoded())
                for answer in split.computer.compute(sent).reversed() { try split.add(answer) }
            }
            _ = split.finishStep()
            #expect(bits(whole) == bits(split))
            #expect(bits(whole) == bits(threaded))
        }
        #expect(bits(whole) != start)
    }

    @Test func `takes each shard once`() throws {
        let configuration = smallRun(cell: .gru)
        let trainer = Trainer(configuration, source: try configuration.makeSource())
        trainer.beginStep()
        let answer = try #require(trainer.computer.compute(trainer.work(for: ShardRange(0..<2))).first)
        try trainer.add(answer)
        #expect(throws: ReductionError.self) { try trainer.add(answer) }
    }
}

@Suite struct `An assignment` {
    @Test func `cut short or changed at any byte is read or refused, never a crash`() throws {
        let configuration = smallRun(cell: .lstm)
        let trainer = Trainer(configuration, source: try configuration.makeSource())
        trainer.beginStep()
        let work = trainer.work(for: ShardRange(2..<5))
        let bytes = work.encoded()
        #expect(try ShardWork(decoding: bytes) == work)
        for length in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: ShardWorkError.self) { try ShardWork(decoding: bytes.prefix(length)) }
        }
        for position in 8..<36 {
            for value in [UInt8(0), 1, 0x7F, 0xFF] where bytes[position] != value {
                var changed = bytes
                changed[position] = value
                if let read = try? ShardWork(decoding: changed) { #expect(read != work) }
            }
        }
    }
}

@Suite struct `A run` {
    private final class Silent: ProgressObserver {
        func progressed(_ progress: RunProgress) {}
        func note(_ sentence: String) {}
        func close() {}
    }

    @Test(arguments: [false, true])
    func `that was stopped and resumed ends with the bits of one that was not`(stream: Bool) throws {
        try expectSameBitsAfterResuming { $0.stream = stream }
    }

    @Test(
        arguments: [
            (.adam, 0, false, true), (.adamw, 0, false, false), (.sgd, 0, false, false), (.sgd, 0.9, false, false),
            (.sgd, 0.9, true, false), (.rmsprop, 0, false, false), (.rmsprop, 0.5, false, false),
        ] as [(RunConfiguration.OptimizerKind, Float, Bool, Bool)])
    func `resumes exactly with every optimiser`(
        optimizer: RunConfiguration.OptimizerKind, momentum: Float, nesterov: Bool, amsgrad: Bool
    ) throws {
        try expectSameBitsAfterResuming {
            $0.optimizer = optimizer
            $0.weightDecay = 0.01
            if momentum > 0 { $0.momentum = momentum }
            if nesterov { $0.nesterov = true }
            if amsgrad { $0.amsgrad = true }
            try $0.validate()
        }
    }

    @Test func `that was begun before there was momentum has none`() throws {
        let before = RunConfiguration(data: .generated(.hello))
        let written = try JSONEncoder().encode(before)
        #expect(!String(decoding: written, as: UTF8.self).contains("momentum"))
        #expect(try JSONDecoder().decode(RunConfiguration.self, from: written) == before)
    }

    @Test func `with optimiser settings that do not go together is refused`() {
        func refusal(_ change: (inout RunConfiguration) -> Void) -> String {
            var configuration = RunConfiguration(data: .generated(.hello))
            change(&configuration)
            do { try configuration.validate() } catch { return error.description }
            return ""
        }
        #expect(refusal { $0.momentum = 0.9 } == "--momentum 0.9: expected --optimizer sgd or rmsprop, not adam")
        #expect(
            refusal { ($0.optimizer, $0.momentum) = (.sgd, -1) } == "--momentum -1.0: expected 0 or a positive number")
        #expect(
            refusal { ($0.optimizer, $0.nesterov) = (.sgd, true) }
                == "--nesterov: expected --optimizer sgd with a --momentum above 0")
        #expect(
            refusal { ($0.optimizer, $0.amsgrad) = (.rmsprop, true) }
                == "--amsgrad: expected --optimizer adam or adamw, not rmsprop")
        #expect(refusal { ($0.optimizer, $0.momentum, $0.nesterov) = (.sgd, 0.9, true) } == "")
    }

    private func expectSameBitsAfterResuming(_ change: (inout RunConfiguration) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lockstep-test-\(UUID())").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let text = "\(directory)/text"
        try String((0..<4000).map { "the quick brown fox\n".dropFirst($0 * 7 % 19).first ?? "x" }).write(
            toFile: text, atomically: true, encoding: .utf8)
        var configuration = smallRun(cell: .lstm, data: .text(path: text, mode: .characters))
        try change(&configuration)
        configuration.seqLen = 9
        configuration.checkpointEvery = 3

        func train(_ session: RunSession, upTo step: UInt64) throws -> RunSummary {
            while session.trainer.step < step {
                session.trainer.beginStep()
                session.trainer.compute(session.trainer.wholeStep, threads: 1)
                try session.stepDone(session.trainer.finishStep())?({ false })
            }
            return try session.finish()
        }
        func begin(_ name: String) throws -> RunSession {
            try RunSession.begin(
                at: "\(directory)/\(name)", configuration: configuration, source: try configuration.makeSource(),
                observer: Silent(), threads: 1)
        }
        let whole = try train(begin("whole"), upTo: 6)
        _ = try train(begin("parts"), upTo: 4)
        let resumed = try train(RunSession.resume(at: "\(directory)/parts", observer: Silent(), threads: 1), upTo: 6)
        #expect(resumed.parametersSHA256 == whole.parametersSHA256)
        #expect(resumed.ledgerHead == whole.ledgerHead)
    }

    @Test func `of hello learns ohlol`() throws {
        var configuration = RunConfiguration(data: .generated(.hello))
        configuration.steps = 60
        let trainer = Trainer(configuration, source: try configuration.makeSource())
        while !trainer.isDone {
            trainer.beginStep()
            trainer.compute(trainer.wholeStep, threads: 1)
            _ = trainer.finishStep()
        }
        let result = Validation.run(trainer.computer.model, on: trainer.source.validation, threads: 1)
        #expect(result.exactMatch == 1)
    }
}
