internal import Foundation
internal import Optimizers

/// What the ledger costs: steps with it and steps without, in turn.
///
/// With it: checksums of every gradient and parameter, and a line written to a file.
package struct LedgerMeasurement {
    /// Seconds of each step.
    package private(set) var with: [Double] = []
    package private(set) var without: [Double] = []

    /// - Parameters:
    ///   - rounds: steps of each kind, after one of each that does not count.
    ///   - path: where a ledger may be written; removed afterwards.
    package init(_ workload: Workload, cell: Cell, threads: Int, rounds: Int, path: String) throws {
        let configuration = workload.configuration(
            cell: cell, parts: threads, shards: nil, steps: UInt64(2 * rounds + 2))
        let trainer = Trainer(configuration, source: workload.source(parts: threads))
        defer { try? FileSystem.remove(path) }
        let ledger = try LedgerWriter(path: path, after: 0, head: LedgerLine.noHash, end: 0)
        let clock = ContinuousClock()
        for round in 0...rounds {
            for isKept in [true, false] {
                let begun = clock.now
                trainer.optimizer.isTraced = isKept
                trainer.beginStep()
                trainer.compute(trainer.wholeStep, threads: threads)
                let report = trainer.finishStep()
                if isKept {
                    var entry = LedgerEntry(report, parametersSHA256: nil)
                    entry.step = ledger.step + 1
                    try ledger.append(entry)
                }
                let seconds = (clock.now - begun) / .seconds(1)
                guard round > 0 else { continue }
                if isKept { with.append(seconds) } else { without.append(seconds) }
            }
        }
    }

    /// The median of what a pair of neighbouring steps differs by, of the median step without.
    package var share: Double {
        let differences = zip(with, without).map { $0 - $1 }.sorted()
        return differences[differences.count / 2] / without.sorted()[without.count / 2]
    }
}
