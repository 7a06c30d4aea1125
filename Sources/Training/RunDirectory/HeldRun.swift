internal import Interchange

/// A run that this process, and no other, writes; let go with its last owner.
package final class HeldRun: Sendable {
    package let directory: RunDirectory
    /// Which holder this is, counted from 1; only grows over the life of a run.
    package let incarnation: UInt64
    /// What was put in order on the way in, a sentence each.
    package let notes: [String]

    private let lock: RunLock
    private var checkpoints: CheckpointStore { CheckpointStore(run: directory.path) }

    init(_ directory: RunDirectory, _ lock: RunLock) throws(RunError) {
        self.directory = directory
        self.lock = lock
        var notes: [String] = []
        for name in try FileSystem.names(in: directory.path) where name.hasPrefix(FileSystem.temporaryPrefix) {
            try FileSystem.remove("\(directory.path)/\(name)")
            notes.append("\(directory.path)/\(name): left by a process that died; removed")
        }
        self.notes = notes + (try CheckpointStore(run: directory.path).tidy())
        incarnation = try Self.nextIncarnation(directory.path)
    }

    private static func nextIncarnation(_ run: String) throws(RunError) -> UInt64 {
        let path = "\(run)/incarnation"
        var last: UInt64 = 0
        if FileSystem.kind(of: path) != nil {
            let bytes = try RunError.reading { () throws(FileFailure) in try InputFile.contents(of: path, limit: 32) }
            let text = String(decoding: bytes, as: UTF8.self)
            guard text.hasSuffix("\n"), let number = UInt64(text.dropLast()), number < .max else {
                throw RunError(.damaged, "\(path): expected a whole number, got \(String(text.prefix(32)).json)")
            }
            last = number
        }
        try FileSystem.writeAtomically(Array("\(last + 1)\n".utf8), to: "incarnation", in: run)
        return last + 1
    }

    /// Writes a checkpoint of the ledger's last step so that it is there whole or not at all, then lets go of the oldest.
    ///
    /// The ledger is brought to the disk first: a checkpoint whose line is lost could not be resumed from.
    ///
    /// - Parameters:
    ///   - files: `parameters.safetensors`, `optimizer.safetensors`, and whatever else the run needs to go on.
    ///   - keep: how many of the newest checkpoints stay beside the best; 1 or more.
    ///   - validationLoss: of the parameters in it, where they were validated.
    package func writeCheckpoint(
        _ files: [CheckpointFile], after ledger: LedgerWriter, keep: Int = 3, validationLoss: Double? = nil
    ) throws(RunError) {
        try writeCheckpoint(
            files, step: ledger.step, ledgerHead: ledger.head, keep: keep, validationLoss: validationLoss)
    }

    /// The same, of a step whose line was written before, while lines may be following it.
    func writeCheckpoint(
        _ files: [CheckpointFile], step: UInt64, ledgerHead: String, keep: Int, validationLoss: Double?
    ) throws(RunError) {
        for path in [directory.ledgerPath, directory.metricsPath] { try FileSystem.synchronizeFile(path) }
        try checkpoints.write(
            step: step, ledgerHead: ledgerHead, files, keep: keep, validationLoss: validationLoss)
    }

    package func writeSummary(_ summary: RunSummary) throws(RunError) {
        try FileSystem.writeAtomically(
            Array(try summary.json().utf8), to: RunDirectory.summaryName, in: directory.path)
    }
}

/// Where a run goes on: after its newest good checkpoint, with ledger and metrics cut to what was done by then.
package struct Resumption {
    /// Nil for a run that has none: it begins, or begins again, at its first step.
    package let checkpoint: Checkpoint?
    package let ledger: LedgerWriter
    package let metrics: MetricsWriter
    /// What was skipped or dropped, a sentence each.
    package let notes: [String]
}

extension HeldRun {
    /// Finds the newest checkpoint that verifies and whose step the ledger vouches for, and opens the files that grow.
    ///
    /// A new run resumes from nothing: this is the way to open those files in either case.
    ///
    /// - Parameter accepting: throws what is to be said of a good checkpoint that the run may not go on from all the same.
    /// - Throws: `RunError.damaged` when there are checkpoints and none will do; nothing is cut then.
    package func resume(
        accepting check: (Checkpoint) throws(RunError) -> Void = { _ in }
    ) throws(RunError) -> Resumption {
        let steps = Set(try checkpoints.steps())
        var lines: [UInt64: (hash: [UInt8], end: Int)] = [0: (LedgerLine.noHash, 0)]
        let reading = try LedgerReading.read(path: directory.ledgerPath) { entry, hash, end in
            if steps.contains(entry.step) { lines[entry.step] = (hash, end) }
        }
        let (checkpoint, skipped) = try checkpoints.newest { checkpoint in
            guard let line = lines[checkpoint.step] else {
                return reading.fault
                    ?? "\(directory.ledgerPath): ends at step \(reading.steps); the line of the checkpoint is missing"
            }
            return checkpoint.ledgerHead == String(decoding: line.hash, as: UTF8.self)
                ? nil : "\(directory.ledgerPath): the line of step \(checkpoint.step) is not the checkpoint's"
        }
        if let checkpoint { try check(checkpoint) }
        let step = checkpoint?.step ?? 0
        let line = lines[step]!
        let ledger = try LedgerWriter(path: directory.ledgerPath, after: step, head: line.hash, end: line.end)
        let metrics = try MetricsWriter(path: directory.metricsPath, after: step)
        // Their names must be on the disk before a checkpoint is that counts on them; and what the run goes on from must not be lost
        // to a power cut when it ends without another checkpoint.
        try FileSystem.synchronizeDirectory(directory.path)
        try checkpoints.synchronizeNames()
        return Resumption(
            checkpoint: checkpoint, ledger: ledger, metrics: metrics,
            notes: skipped + droppedNotes(reading, after: step))
    }

    private func droppedNotes(_ reading: LedgerReading, after step: UInt64) -> [String] {
        var notes: [String] = []
        if let fault = reading.fault { notes.append("\(fault); it and all after it were dropped") }
        if reading.tornBytes > 0 {
            notes.append(
                "\(directory.ledgerPath): the last line was cut short and was dropped (\(reading.tornBytes) bytes)")
        }
        if reading.steps > step {
            notes.append(
                "\(reading.steps - step) steps after the checkpoint are computed again: \(step + 1) to \(reading.steps)"
            )
        }
        return notes
    }
}
