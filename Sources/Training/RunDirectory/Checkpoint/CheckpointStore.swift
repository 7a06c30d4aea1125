internal import Interchange

/// The checkpoints of a run: `checkpoints/step-00001000/…`, and `latest` beside them.
struct CheckpointStore: Sendable {
    /// The run's directory.
    let run: String

    /// Beginnings of names that count for nothing: being written, and on the way out.
    private static let (writing, removing) = (".writing-", ".removing-")
    static let latestName = "latest"

    private var directory: String { "\(run)/checkpoints" }

    private func path(_ step: UInt64, _ prefix: String = "") -> String {
        "\(directory)/\(prefix)\(Self.name(step))"
    }

    static func name(_ step: UInt64) -> String {
        let digits = String(step)
        return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    /// The step that a name stands for; nil for any other name.
    static func step(_ name: some StringProtocol) -> UInt64? {
        guard name.hasPrefix("step-"), let step = UInt64(name.dropFirst(5)), self.name(step) == name else { return nil }
        return step
    }

    /// Steps that have a checkpoint, whole or not, newest first.
    func steps() throws(RunError) -> [UInt64] {
        guard FileSystem.kind(of: directory) != nil else { return [] }
        return try FileSystem.names(in: directory).compactMap { Self.step($0) }.sorted(by: >)
    }

    /// What lies in the place of a step's checkpoint and is no sign that there ever was one, as "an empty directory"; nil when it may be.
    func stranger(_ step: UInt64) -> String? {
        guard let kind = FileSystem.kind(of: path(step)) else { return nil }
        guard kind == .directory else { return FileSystem.description(of: kind, at: path(step)) }
        return (try? FileSystem.names(in: path(step)))?.isEmpty == true ? "an empty directory" : nil
    }

    /// Brings the names of all checkpoints to the disk: whoever was to do so may have died before.
    func synchronizeNames() throws(RunError) {
        guard FileSystem.kind(of: directory) != nil else { return }
        try FileSystem.synchronizeDirectory(directory)
    }

    func verified(_ step: UInt64) throws(RunError) -> Checkpoint { try Checkpoint(verifying: path(step), step: step) }

    /// Why a checkpoint of `step` is none of a run that has fewer steps; nil when it has not.
    func excess(_ step: UInt64, of runSteps: UInt64) -> String? {
        step > runSteps
            ? "checkpoint of step \(step) skipped: \(path(step)): of no step of this run; expected one up to \(runSteps), its last"
            : nil
    }

    /// The newest checkpoint that verifies, with a sentence about each that was skipped.
    ///
    /// - Parameter runSteps: how many steps the run is to have.
    /// - Returns: a nil checkpoint when the run has none at all.
    /// - Throws: `RunError.damaged` when it has some and none verifies.
    func newest(of runSteps: UInt64) throws(RunError) -> (checkpoint: Checkpoint?, skipped: [String]) {
        var skipped: [String] = []
        for step in try steps() {
            if let sentence = excess(step, of: runSteps) {
                skipped.append(sentence)
                continue
            }
            do { return (try verified(step), skipped) } catch {
                skipped.append("checkpoint of step \(step) skipped: \(error)")
            }
        }
        guard skipped.isEmpty else {
            throw RunError(.damaged, "\(run): no checkpoint can be used: \(skipped.joined(separator: "; "))")
        }
        return (nil, [])
    }

    /// What `latest` says: whether it is there, and the step, where that can be read.
    func latest() -> (isThere: Bool, step: UInt64?) {
        let path = "\(run)/\(Self.latestName)"
        guard FileSystem.kind(of: path) != nil else { return (false, nil) }
        guard let bytes = try? InputFile.contents(of: path, limit: 32), bytes.last == UInt8(ascii: "\n") else {
            return (true, nil)
        }
        return (true, UInt64(String(decoding: bytes.dropLast(), as: UTF8.self)))
    }

    /// Lets `latest` say `step`, unless it does already.
    func name(latest step: UInt64) throws(RunError) {
        guard latest().step != step else { return }
        try FileSystem.writeAtomically(Array("\(step)\n".utf8), to: Self.latestName, in: run)
    }
}

// MARK: Writing

extension CheckpointStore {
    /// Writes a checkpoint so that it is there whole or not at all, whenever this process or the machine stops.
    ///
    /// - Parameters:
    ///   - keep: how many of the newest stay; 1 or more. The one with the least validation loss stays beside them, and so does
    ///     that of step 0, which a run that was given its first parameters cannot be computed again without.
    ///   - validationLoss: of the parameters in it, where they were validated.
    func write(
        step: UInt64, ledgerHead: String, _ files: [CheckpointFile], keep: Int, validationLoss: Double? = nil,
        _ meter: WritingMeter? = nil
    ) throws(RunError) {
        precondition(keep >= 1, "CheckpointStore: \(keep) checkpoints to keep; the fewest is 1")
        do {
            try place(step: step, ledgerHead: ledgerHead, files, validationLoss: validationLoss, meter)
            try FileSystem.writeAtomically(Array("\(step)\n".utf8), to: Self.latestName, in: run)
            try prune(upTo: step, keep: keep)
        } catch { throw error.midway }
    }

    private func place(
        step: UInt64, ledgerHead: String, _ files: [CheckpointFile], validationLoss: Double?, _ meter: WritingMeter?
    ) throws(RunError) {
        let temporary = path(step, Self.writing)
        // `latest` must not outlive a power cut in which the checkpoints' own directory is lost.
        if try FileSystem.makeDirectory(directory) { try FileSystem.synchronizeDirectory(run) }
        try FileSystem.remove(temporary)
        do {
            let manifest = try writeFiles(
                files, into: temporary, step: step, ledgerHead: ledgerHead, validationLoss: validationLoss, meter)
            CrashPoint.reached(.checkpointUnnamed, step: step)
            if let existing = try? verified(step), existing.manifest == manifest {
                try FileSystem.remove(temporary)
            } else {
                if FileSystem.kind(of: path(step)) != nil {
                    // The new one must be there for certain before the old one goes.
                    try FileSystem.synchronizeDirectory(directory)
                    try remove(step)
                }
                try FileSystem.rename(temporary, to: path(step))
                CrashPoint.reached(.checkpointNamed, step: step)
                try FileSystem.synchronizeDirectory(directory)
            }
        } catch {
            try? FileSystem.remove(temporary)
            throw error
        }
    }

    /// The least validation loss of the checkpoints that are kept, of those that can be read; nil when none has one.
    func leastValidationLoss() throws(RunError) -> Double? {
        try steps().compactMap { (try? CheckpointManifest.read(in: path($0)))?.validationLoss }.filter { !$0.isNaN }
            .min()
    }

    private func prune(upTo step: UInt64, keep: Int) throws(RunError) {
        // A later step's checkpoint is one that could not be used when the run was taken up again.
        let steps = try steps().filter { $0 <= step }
        guard steps.count > keep else { return }
        var losses: [(step: UInt64, loss: Double)] = []
        for step in steps {
            do {
                if let loss = try CheckpointManifest.read(in: path(step)).validationLoss { losses.append((step, loss)) }
            } catch {
                // One that only cannot be read now may be the best: all stay until the next is written.
                if error.isPassing { return }
            }
        }
        // Of equal ones the first is the best, as it is for whoever watches the run.
        let best = losses.filter { !$0.loss.isNaN }.min { ($0.loss, $0.step) < ($1.loss, $1.step) }
        for old in steps.dropFirst(keep) where old != best?.step && old != 0 { try remove(old) }
    }

    private func writeFiles(
        _ files: [CheckpointFile], into temporary: String, step: UInt64, ledgerHead: String, validationLoss: Double?,
        _ meter: WritingMeter?
    ) throws(RunError) -> CheckpointManifest {
        try FileSystem.makeDirectory(temporary)
        var records: [String: CheckpointManifest.Record] = [:]
        for file in files {
            let record = try file.write(into: temporary, meter)
            precondition(
                records.updateValue(record, forKey: file.name) == nil, "CheckpointStore: two files named \(file.name)")
        }
        CrashPoint.reached(.checkpointWritten, step: step)
        for file in files {
            try FileSystem.synchronizeFile("\(temporary)/\(file.name)")
            try meter?.check()
        }
        CrashPoint.reached(.checkpointUnsealed, step: step)
        let manifest = CheckpointManifest(
            step: step, ledgerHead: ledgerHead, validationLoss: validationLoss, files: records)
        let bytes = try JSONText.encode(manifest, .pretty, as: CheckpointManifest.name)
        try FileSystem.writeAtomically(bytes, to: CheckpointManifest.name, in: temporary)
        return manifest
    }

    /// Takes a checkpoint out of sight in one move, then deletes it.
    private func remove(_ step: UInt64) throws(RunError) {
        guard FileSystem.kind(of: path(step)) != nil else { return }
        let doomed = path(step, Self.removing)
        try FileSystem.remove(doomed)
        try FileSystem.rename(path(step), to: doomed)
        // A power cut that loses the new name must not find files gone under the old one.
        try FileSystem.synchronizeDirectory(directory)
        try FileSystem.remove(doomed)
    }

    /// Puts in order what a process left that was killed while it wrote here.
    ///
    /// A checkpoint that was whole but for its name gets its name; everything else is deleted.
    ///
    /// - Returns: a sentence about each.
    func tidy() throws(RunError) -> [String] {
        guard FileSystem.kind(of: directory) != nil else { return [] }
        var notes: [String] = []
        for name in try FileSystem.names(in: directory) {
            guard let prefix = [Self.writing, Self.removing].first(where: name.hasPrefix) else { continue }
            if prefix == Self.writing, let step = Self.step(name.dropFirst(prefix.count)),
                FileSystem.kind(of: path(step)) == nil,
                (try? Checkpoint(verifying: path(step, prefix), step: step)) != nil
            {
                try FileSystem.rename(path(step, prefix), to: path(step))
                notes.append("\(path(step)): a checkpoint that was written but not named got its name")
            } else {
                try FileSystem.remove("\(directory)/\(name)")
                notes.append("\(directory)/\(name): left by a process that died; removed")
            }
        }
        if !notes.isEmpty { try FileSystem.synchronizeDirectory(directory) }
        return notes
    }
}
