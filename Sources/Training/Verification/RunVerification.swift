internal import Interchange
internal import Layers
internal import Sequences
internal import TensorCore

/// What came of recomputing some steps of a run.
package struct VerificationResult: Sendable {
    package let run: String
    /// Steps that were to be held against the ledger.
    package let steps: ClosedRange<UInt64>
    /// The step of the checkpoint that the computation began from; 0 for the beginning.
    package let checkpoint: UInt64
    /// Checkpoints whose parameters were held against what was recomputed.
    package internal(set) var checkpointsCompared = 0
    /// Nil when every step is identical.
    package internal(set) var difference: LedgerDifference?
    /// The first step whose checkpoint holds other parameters than were recomputed.
    package internal(set) var differingCheckpoint: UInt64?
    package internal(set) var notes: [String]

    package var isIdentical: Bool { difference == nil && differingCheckpoint == nil }
}

/// Recomputes steps of a run in this process and holds them against its ledger. Nothing is written.
package struct RunVerification {
    private let directory: RunDirectory
    private let record: RunRecord
    private let trainer: Trainer
    private let steps: ClosedRange<UInt64>
    private let threads: Int
    private let start: Checkpoint?
    private var notes: [String]

    /// Finds what to begin from.
    ///
    /// - Parameter steps: which steps; all that the ledger holds when left out.
    /// - Throws: `RunError` when the ledger does not hold together, `ConfigurationError` when the data has changed or the steps are not there.
    package init(path: String, steps wanted: ClosedRange<UInt64>?, threads: Int) throws {
        directory = try RunDirectory(path)
        record = try RunRecord(reading: directory, for: .training)
        let source = try record.openSource(of: path)
        var heads = [UInt64(0): String(decoding: LedgerLine.noHash, as: UTF8.self)]
        let kept = Set(try directory.checkpointSteps())
        let reading = try LedgerReading.read(path: directory.ledgerPath) { entry, hash, _ in
            if kept.contains(entry.step) { heads[entry.step] = String(decoding: hash, as: UTF8.self) }
        }
        if let fault = reading.fault { throw RunError(.damaged, fault) }
        guard reading.steps > 0 else {
            throw ConfigurationError(description: "\(path): the ledger has no line yet; nothing can be verified")
        }
        steps = wanted ?? 1...reading.steps
        guard steps.lowerBound >= 1, steps.upperBound <= reading.steps else {
            throw ConfigurationError(
                description:
                    "--steps \(steps.lowerBound)..\(steps.upperBound): expected steps from 1 to \(reading.steps), which the ledger holds"
            )
        }
        self.threads = threads
        notes = []
        var start: Checkpoint?
        for step in kept.sorted(by: >) where step < steps.lowerBound {
            do {
                let checkpoint = try directory.checkpoint(step: step)
                guard checkpoint.ledgerHead == heads[step] else {
                    notes.append("checkpoint of step \(step) skipped: the ledger's line is not the checkpoint's")
                    continue
                }
                start = checkpoint
                break
            } catch { notes.append("checkpoint of step \(step) skipped: \(error)") }
        }
        self.start = start
        trainer = Trainer(record.configuration, source: source)
        if let start {
            try trainer.restore(start)
        } else {
            try record.initialParameters?.load(into: trainer.computer.model)
        }
    }

    /// Recomputes up to the first difference.
    ///
    /// - Parameter progressed: told of each step.
    package func run(progressed: (_ step: UInt64, _ last: UInt64) -> Void = { _, _ in }) throws -> VerificationResult {
        var result = VerificationResult(
            run: directory.path, steps: steps, checkpoint: start?.step ?? 0, notes: notes)
        let compute = LocalCompute(threads: threads)
        let names = record.parameterNames
        let kept = Set(try directory.checkpointSteps())
        _ = try LedgerReading.read(
            path: directory.ledgerPath,
            while: { entry in
                guard entry.step > trainer.step else { return true }
                trainer.beginStep()
                compute.compute(trainer.wholeStep, of: trainer)
                let report = trainer.finishStep()
                defer { progressed(entry.step, steps.upperBound) }
                guard entry.step >= steps.lowerBound else { return true }
                guard entry.gradient.count == names.count else {
                    throw RunError(
                        .damaged,
                        "\(directory.ledgerPath): line \(entry.step) has \(entry.gradient.count) gradient checksums; expected \(names.count), one a parameter; the run was begun by an earlier version"
                    )
                }
                let hash = entry.parametersSHA256.map { _ in parametersSHA256(trainer.computer.model.namedTensors) }
                let own = LedgerEntry(report, parametersSHA256: hash)
                result.difference = LedgerDifference(
                    entry, own, names: names, shardCount: record.configuration.shards)
                if result.difference == nil, kept.contains(entry.step) { try compareCheckpoint(entry.step, &result) }
                return result.isIdentical && entry.step < steps.upperBound
            })
        return result
    }

    private func compareCheckpoint(_ step: UInt64, _ result: inout VerificationResult) throws {
        let stored: SafetensorsFile
        do { stored = try directory.checkpoint(step: step).tensors(CheckpointFile.parametersName) } catch {
            result.notes.append("checkpoint of step \(step) skipped: \(error)")
            return
        }
        result.checkpointsCompared += 1
        for (name, parameter) in trainer.computer.model.namedParameters {
            let values = try? stored.floats(name, shape: parameter.shape)
            if values?.map(\.bitPattern) != parameter.values.map(\.bitPattern) {
                result.differingCheckpoint = step
                return
            }
        }
    }
}
