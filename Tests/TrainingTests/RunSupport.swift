import Coordination
import Foundation
import Optimizers
import Sequences
import TensorCore
import Training

/// Hears what a session says.
final class Listener: ProgressObserver {
    private(set) var notes: [String] = []
    func progressed(_ progress: RunProgress) {}
    func note(_ sentence: String) { notes.append(sentence) }
    func close() {}
}

/// Small real runs of the built-in task in a directory that goes away.
struct RunPlace: ~Copyable {
    let path: String

    init() throws {
        let memory = FileManager.default.isWritableFile(atPath: "/dev/shm")
        path = "\(memory ? "/dev/shm" : FileManager.default.temporaryDirectory.path)/lockstep-runs-\(UUID())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A run over a text with everything that has to be carried from step to step: streams, dropout, a schedule, validation.
    func configuration(steps: UInt64 = 12) throws -> RunConfiguration {
        let text = "\(path)/text"
        if !FileManager.default.fileExists(atPath: text) {
            try String((0..<6000).map { "the quick brown fox\n".dropFirst($0 * 7 % 19).first ?? "x" }).write(
                toFile: text, atomically: true, encoding: .utf8)
        }
        var configuration = RunConfiguration(data: .text(path: text, mode: .characters))
        (configuration.cell, configuration.stream, configuration.dropout) = (.lstm, true, 0.2)
        (configuration.hiddenSize, configuration.embeddingDim, configuration.numLayers) = (17, 9, 2)
        (configuration.seqLen, configuration.batchSize, configuration.shards) = (9, 24, 8)
        (configuration.steps, configuration.validationEvery, configuration.checkpointEvery) = (steps, 4, 3)
        configuration.schedule.warmup = 2
        return configuration
    }

    func begin(
        _ name: String, _ configuration: RunConfiguration, observer: any ProgressObserver = Listener()
    ) throws -> RunSession {
        try RunSession.begin(
            at: "\(path)/\(name)", configuration: configuration, source: try configuration.makeSource(),
            observer: observer, threads: 1)
    }

    func resume(_ name: String, observer: any ProgressObserver = Listener()) throws -> RunSession {
        // A process that another test is starting just now has a copy of every lock until it has begun.
        for _ in 0..<200 {
            do { return try RunSession.resume(at: "\(path)/\(name)", observer: observer, threads: 1) } catch let error
                as RunError where error.code == .held
            { usleep(5000) }
        }
        return try RunSession.resume(at: "\(path)/\(name)", observer: observer, threads: 1)
    }

    func bytes(_ name: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(filePath: "\(path)/\(name)"))) }
    func write(_ bytes: [UInt8], to name: String) throws { try Data(bytes).write(to: URL(filePath: "\(path)/\(name)")) }
}

extension RunSession {
    /// Trains up to `step` and closes the run.
    ///
    /// - Parameter change: what a faulty machine makes of the assignment of one shard.
    @discardableResult
    func train(
        upTo step: UInt64, changing: (step: UInt64, shard: Int)? = nil, _ change: (inout ShardWork) -> Void = { _ in }
    ) throws -> RunSummary {
        while trainer.step < step {
            trainer.beginStep()
            if let changing, changing.step == trainer.step + 1 {
                for shard in 0..<trainer.shards {
                    var work = trainer.work(for: ShardRange(shard..<shard + 1))
                    if shard == changing.shard { change(&work) }
                    for answer in trainer.computer.compute(work) { try trainer.add(answer) }
                }
            } else {
                trainer.compute(trainer.wholeStep, threads: 1)
            }
            try stepDone(trainer.finishStep())?({ false })
        }
        return try finish()
    }
}

/// A wrong computation: the targets of a batch in another order.
enum TokenBatchSwap {
    static func swapped(_ batch: TokenBatch) -> TokenBatch {
        TokenBatch(steps: batch.steps, rows: batch.rows, inputs: batch.inputs, targets: batch.targets.reversed())
    }
}
