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
    let checkpoints: Set<UInt64>
    /// By step.
    let metrics: [UInt64: [MetricsRecord]]
    /// A sentence about each file that cannot be read.
    let faults: [String]

    init(_ directory: RunDirectory) throws {
        var faults: [String] = []
        var summary: RunSummary?
        do { summary = try directory.summary() } catch { faults.append("\(error)") }
        self.summary = summary
        let store = CheckpointStore(run: directory.path)
        latest = store.latest()
        if latest.isThere, latest.step == nil {
            faults.append(
                "\(directory.path)/\(CheckpointStore.latestName): expected the step of a checkpoint and a newline")
        }
        checkpoints = Set(try store.steps())
        var metrics: [UInt64: [MetricsRecord]] = [:]
        do {
            for record in try Self.readMetrics(directory.metricsPath) {
                metrics[record.step, default: []].append(record)
            }
        } catch { faults.append("\(error)") }
        self.metrics = metrics
        self.faults = faults
    }

    private static func readMetrics(_ path: String) throws(RunError) -> [MetricsRecord] {
        guard FileSystem.kind(of: path) != nil else { return [] }
        var records: [MetricsRecord] = []
        var lines = try LineReader(path: path)
        // A last line without its end is one that is being written, or was.
        while let line = try lines.next(), line.end != nil || !lines.isAtEnd {
            let name = "\(path): line \(records.count + 1)"
            let record = try JSONText.decode(MetricsRecord.self, from: Array(line.bytes), path: name)
            if let last = records.last, last.step > record.step {
                throw RunError(.damaged, "\(name): of step \(record.step), after step \(last.step)")
            }
            records.append(record)
        }
        return records
    }

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

    /// What is wrong with `latest` beside checkpoints that are there; nil when nothing is.
    func latestObjection(in path: String) -> String? {
        guard let step = latest.step, step > (checkpoints.max() ?? 0) || checkpoints.isEmpty else { return nil }
        let there = checkpoints.max().map { "the newest is of step \($0)" } ?? "there is none"
        return "\(path)/\(CheckpointStore.latestName): names the checkpoint of step \(step); \(there)"
    }
}
