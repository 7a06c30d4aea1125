/// A run that this process, and no other, writes; let go with its last owner.
package final class HeldRun: Sendable {
    package let directory: RunDirectory
    /// Which holder this is, counted from 1; only grows over the life of a run.
    package let incarnation: UInt64
    /// What was put in order on the way in, a sentence each.
    package let notes: [String]

    private let lock: RunLock
    var checkpoints: CheckpointStore { CheckpointStore(run: directory.path) }

    /// - Parameter isNew: whether nobody has held the run before.
    init(_ directory: RunDirectory, _ lock: RunLock, isNew: Bool) throws(RunError) {
        self.directory = directory
        self.lock = lock
        var notes: [String] = []
        for name in try FileSystem.names(in: directory.path) where name.hasPrefix(FileSystem.temporaryPrefix) {
            try FileSystem.remove("\(directory.path)/\(name)")
            notes.append("\(directory.path)/\(name): left by a process that died; removed")
        }
        notes += try CheckpointStore(run: directory.path).tidy()
        let last = isNew ? 0 : try IncarnationLine.last(of: directory.path, lock, &notes)
        // The lock's number is never below the file's: where one of them is lost, the other is safe to count on from.
        try lock.record(incarnation: last + 1)
        try FileSystem.writeAtomically(
            IncarnationLine.bytes(last + 1), to: IncarnationLine.fileName, in: directory.path)
        incarnation = last + 1
        self.notes = notes
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
    package func writeCheckpoint(
        _ files: [CheckpointFile], step: UInt64, ledgerHead: String, keep: Int, validationLoss: Double?,
        _ meter: WritingMeter? = nil
    ) throws(RunError) {
        try lock.requirePlace(directory.path)
        try synchronizeLines()
        try checkpoints.write(
            step: step, ledgerHead: ledgerHead, files, keep: keep, validationLoss: validationLoss, meter)
    }

    /// Brings the files that grow to the disk.
    func synchronizeLines() throws(RunError) {
        for path in [directory.ledgerPath, directory.metricsPath] { try FileSystem.synchronizeFile(path) }
    }

    /// Takes down what the run begins with, before its first step.
    func writeOrigin(_ origin: RunOrigin) throws(RunError) {
        try lock.requirePlace(directory.path)
        try FileSystem.writeAtomically(
            try JSONText.encode(origin, .pretty, as: RunOrigin.fileName), to: RunOrigin.fileName, in: directory.path)
    }

    /// See `RunLock.requirePlace`.
    func requirePlace() throws(RunError) { try lock.requirePlace(directory.path) }

    package func writeSummary(_ summary: RunSummary) throws(RunError) {
        try lock.requirePlace(directory.path)
        try FileSystem.writeAtomically(
            Array(try summary.json().utf8), to: RunDirectory.summaryName, in: directory.path)
    }
}
