internal import Foundation
internal import Interchange

/// What a run's directory says of its steps beside the ledger.
///
/// Of a run that is being trained it is read before the ledger: each of these is written after its step's line.
struct RunClaims {
    /// Nil when the run has none, or none that can be read.
    let summary: RunSummary?
    let latest: (isThere: Bool, step: UInt64?)
    /// Steps that have a checkpoint, whole or not.
    private(set) var checkpoints: Set<UInt64>
    /// By step.
    let metrics: [UInt64: [MetricsRecord]]
    /// A sentence about the first line of `metrics.jsonl` that is no record; nil when all are.
    let metricsDamage: String?
    /// How far a validation has come that is not over; nil when there is none, or none that can be read.
    let validation: ValidationProgress?
    /// A sentence about each file that cannot be read.
    let faults: [String]

    init(_ directory: RunDirectory) throws {
        var faults: [String] = []
        var summary: RunSummary?
        do { summary = try directory.summary() } catch { faults.append("\(error)") }
        self.summary = summary
        var validation: ValidationProgress?
        do { validation = try ValidationProgress.read(in: directory.path) } catch { faults.append("\(error)") }
        self.validation = validation
        let store = CheckpointStore(run: directory.path)
        latest = store.latest()
        if latest.isThere, latest.step == nil {
            faults.append(
                "\(directory.path)/\(CheckpointStore.latestName): expected the step of a checkpoint and a newline")
        }
        checkpoints = Set(try store.steps())
        var metrics: [UInt64: [MetricsRecord]] = [:]
        var damage: String?
        do {
            // After the checkpoints: what a checkpoint's step has to have is there by then.
            let read = try Self.readMetrics(directory.metricsPath)
            for record in read.records { metrics[record.step, default: []].append(record) }
            damage = read.damage
        } catch { damage = "\(error)" }
        if let damage { faults.append(damage) }
        self.metrics = metrics
        metricsDamage = damage
        self.faults = faults
    }

    /// Passes over empty directories, and what is no directory, where they are called as checkpoints after the ledger's last step would
    /// be: none was ever written there.
    ///
    /// - Returns: a sentence about each.
    mutating func passOverStrangers(after last: UInt64, in directory: RunDirectory) -> [String] {
        let store = CheckpointStore(run: directory.path)
        return checkpoints.filter { $0 > last }.sorted().compactMap { step in
            guard let what = store.stranger(step) else { return nil }
            checkpoints.remove(step)
            return
                "\(directory.path)/checkpoints/\(CheckpointStore.name(step)): skipped: \(what), and the ledger ends at step \(last)"
        }
    }

    /// The records, and a sentence about the first line that is none.
    private static func readMetrics(_ path: String) throws(RunError) -> (records: [MetricsRecord], damage: String?) {
        guard FileSystem.kind(of: path) != nil else { return ([], nil) }
        var records: [MetricsRecord] = []
        var damage: String?
        var number = 0
        var lines = try LineReader(path: path)
        // A last line without its end is one that is being written, or was.
        while let line = try lines.next(), line.end != nil || !lines.isAtEnd {
            number += 1
            let name = "\(path): line \(number)"
            do throws(RunError) {
                let record = try JSONText.decode(MetricsRecord.self, from: Array(line.bytes), path: name)
                guard record.step > 0 else { throw RunError(.damaged, "\(name): of step 0; expected one from 1") }
                if let last = records.last, last.step >= record.step {
                    throw RunError(.damaged, "\(name): of step \(record.step), after step \(last.step)")
                }
                records.append(record)
            } catch { damage = damage ?? error.message }
        }
        return (records, damage)
    }

    /// The records of a step as they are now: one that is missing may have been on its way.
    static func metrics(of step: UInt64, in directory: RunDirectory) -> [MetricsRecord] {
        ((try? readMetrics(directory.metricsPath))?.records ?? []).filter { $0.step == step }
    }

    /// The latest step that anything speaks of: all before it were over and done with.
    var furthest: UInt64 { [checkpoints.max(), summary?.steps, metrics.keys.max()].compactMap(\.self).max() ?? 0 }

    /// Whether the record of a step, if it is to have one, must have been written.
    ///
    /// - Parameter pending: whether the step's checkpoint says that its validation was left off.
    func requiresRecord(of step: UInt64, pending: Bool) -> Bool {
        step < furthest || (checkpoints.contains(step) && !pending)
    }

    /// How many steps can be recomputed only from what the run begins with: those up to its first checkpoint; nil where it has none.
    var stepsAfterBeginning: UInt64? { checkpoints.filter { $0 > 0 }.min() }

    /// Files that speak of a step later than `last`, which is where the ledger ends; nil when none does.
    func beyond(_ last: UInt64) -> (step: UInt64, witness: String)? {
        var witnesses: [(UInt64, String)] = []
        if let step = checkpoints.max() { witnesses.append((step, "the checkpoint")) }
        if let step = summary?.steps { witnesses.append((step, "summary.json")) }
        if let step = metrics.keys.max() { witnesses.append((step, "metrics.jsonl")) }
        if let step = latest.step { witnesses.append((step, "latest")) }
        // Of several that go as far the first.
        guard let furthest = witnesses.map(\.0).max(), furthest > last else { return nil }
        return witnesses.first { $0.0 == furthest }
    }

    /// A sentence about a ledger that ends at `last` although files speak of a later step; nil when none does.
    ///
    /// - Parameter end: what is to be said of its end.
    func contradiction(of ledger: String, endingAt last: UInt64, _ end: String) -> String? {
        beyond(last).map { "\(ledger): \(end); expected step \($0.step) as its last, of which \($0.witness) is" }
    }

    /// What is wrong with `latest` beside the checkpoints that are there; nil when nothing is.
    func latestObjection(in path: String) throws(RunError) -> String? {
        guard let step = latest.step, !checkpoints.contains(step) else { return nil }
        let store = CheckpointStore(run: path)
        // Whoever trains the run meanwhile names a newer one before it lets go of this, and replaces one whose validation was made up
        // for: only what is the same before and after a look at the checkpoints, and after a while, is a contradiction.
        for _ in 0..<3 {
            let before = store.latest().step
            let there = Set(try store.steps()).filter { store.stranger($0) == nil }
            guard let before, before == store.latest().step, !there.contains(before) else { return nil }
            Thread.sleep(forTimeInterval: 0.05)
        }
        let there = checkpoints.max().map { "the newest is of step \($0)" } ?? "there is none"
        return "\(path)/\(CheckpointStore.latestName): names the checkpoint of step \(step); \(there)"
    }
}
