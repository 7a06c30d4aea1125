import Foundation
import TensorCore
import Training

extension BenchCommand {
    func measureLedger(_ workload: Workload, _ cell: Cell) throws {
        guard workers == 0, shards == nil else {
            throw UsageError("--mode ledger: steps of this process; expected no --workers or --shards")
        }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("lockstep-ledger-\(UUID())").path
        let measurement = try LedgerMeasurement(workload, cell: cell, threads: threads, rounds: steps, path: path)
        let result = LedgerResult(workload: workload, cell: cell, threads: threads, measurement)
        if json {
            try Output.writeLine(jsonLine(result))
        } else {
            try Output.writeLine(
                """
                \(result.workload) \(result.cell): the ledger takes \(decimal(result.ledgerShare * 100, 2)) % of a step of \
                \(decimal(result.milliseconds, 3)) ms (\(result.kernels))
                """)
        }
    }
}

/// What `lockstep bench --mode ledger --json` prints.
struct LedgerResult: Encodable {
    let workload: String
    let cell: String
    let mode = BenchMode.ledger.rawValue
    let threads: Int
    let kernels: String
    /// Of a step without the ledger.
    let milliseconds: Double
    let ledgerShare: Double

    init(workload: Workload, cell: Cell, threads: Int, _ measurement: LedgerMeasurement) {
        self.workload = workload.rawValue
        self.cell = cell.rawValue
        self.threads = threads
        kernels = InstructionSet.active.rawValue
        milliseconds = 1e3 * measurement.without.sorted()[measurement.without.count / 2]
        ledgerShare = measurement.share
    }
}
