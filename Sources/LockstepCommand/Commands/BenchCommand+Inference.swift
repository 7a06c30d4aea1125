import TensorCore
import Training

/// What `lockstep bench` measures.
enum BenchMode: String, CaseIterable {
    case train, infer, ledger
}

extension BenchCommand {
    func measureInference(_ workload: Workload, _ cell: Cell, _ precision: Precision) throws {
        guard threads == 1, workers == 0, shards == nil else {
            throw UsageError("--mode infer: one sequence on one thread; expected no --threads, --workers or --shards")
        }
        let result = InferenceResult(
            workload: workload, cell: cell, precision: precision,
            InferenceMeasurement(workload, cell: cell, precision: precision, tokens: 50 * steps))
        if json {
            try Output.writeLine(jsonLine(result))
        } else {
            try Output.writeLine(
                """
                \(result.workload) \(result.cell)\(precisionName(result.precision)), one token at a time: \(grouped(result.tokensPerSecond)) tokens/s, \
                \(decimal(result.microseconds, 1)) µs each (\(result.kernels))
                """)
        }
    }
}

/// What `lockstep bench --mode infer --json` prints.
struct InferenceResult: Encodable {
    let workload: String
    let cell: String
    let precision: String
    let mode = BenchMode.infer.rawValue
    let kernels: String
    let tokens: Int
    let microseconds: Double
    let tokensPerSecond: Double
    let parameters: Int
    let peakRssMb: Double

    init(workload: Workload, cell: Cell, precision: Precision, _ measurement: InferenceMeasurement) {
        self.workload = workload.rawValue
        self.cell = cell.rawValue
        self.precision = precision.rawValue
        kernels = InstructionSet.active.rawValue
        tokens = measurement.tokens
        microseconds = 1e6 / measurement.tokensPerSecond
        tokensPerSecond = measurement.tokensPerSecond
        parameters = measurement.parameters
        peakRssMb = peakResidentMegabytes()
    }
}
