import ArgumentParser
import Cluster
import Coordination
import Foundation
import TensorCore
import Tracing
import Training

/// `lockstep bench`: how fast a complete training step is.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures complete training steps.",
        discussion: """
            A step is embedding, recurrent layers, output layer, cross-entropy, backward, clipping and Adam, on random tokens. \
            --mode infer goes on with one sequence as `lockstep sample` does; --mode ledger compares steps with and without their line in the \
            ledger. The table's batch is kept for each thread or worker. GFLOP/s counts the multiply-adds of the matrix products of forward \
            and backward, twice each; the share is of the processor's own measured rate of multiply-adds in that precision on that many cores.
            """)

    @Option(help: "Size: hello, S, M, Z or XL.")
    var workload = "M"

    @Option(help: "Recurrent cell: lstm, gru or rnn.")
    var cell = "lstm"

    @Option(help: "What the factors of matrix products are rounded to: fp32 or bf16.")
    var precision = Precision.fp32.rawValue

    @Option(
        help: "train: complete steps; infer: one sequence, one token at a time, each drawn from the scores before it.")
    var mode = BenchMode.train.rawValue

    @Option(parsing: .unconditional, help: "Threads in this process.")
    var threads = 1

    @Option(parsing: .unconditional, help: "Local worker processes; 0 computes in this one.")
    var workers = 0

    @Option(parsing: .unconditional, help: "Sequences for each thread or worker. Default: the table's.")
    var batchSize: Int?

    @Option(parsing: .unconditional, help: "Shards of the batch. Default: one for each thread or worker.")
    var shards: Int?

    @Flag(
        help:
            "Compare a packed batch of many lengths with one of equal lengths: forward and backward of the recurrent layers."
    )
    var packed = false

    @Option(
        parsing: .unconditional,
        help: "With --packed: the least length; lengths are drawn uniformly from it to the workload's. Default: 1.")
    var shortest: Int?

    @Option(parsing: .unconditional, help: "Measured steps; in mode infer 50 tokens each.")
    var steps = 20

    @Flag(help: "Say where the time goes: the share of each kind of work in each process.")
    var profile = false

    @OptionGroup var tracing: TraceOptions

    @Flag(help: "Print one JSON object on standard output.")
    var json = false

    func run() async throws {
        guard let workload = try choice(workload, "--workload", Workload.self),
            let cell = try choice(cell, "--cell", Cell.self), let mode = try choice(mode, "--mode", BenchMode.self),
            let precision = try choice(precision, "--precision", Precision.self)
        else { return }
        for (flag, value, range) in [
            ("--threads", threads, 1...1024), ("--steps", steps, 1...1_000_000), ("--workers", workers, 0...64),
        ] where !range.contains(value) {
            throw UsageError(
                "\(flag) \(value): expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        if let batchSize {
            guard (1...65536).contains(batchSize) else {
                throw UsageError("--batch-size \(batchSize): expected a whole number from 1 to 65536")
            }
            guard mode == .train, !packed else {
                throw UsageError("--batch-size: for training steps; expected no --mode and no --packed")
            }
        }
        guard tracing.trace == nil || (mode == .train && !packed) else {
            throw UsageError("--trace: of training steps; expected no --mode and no --packed")
        }
        guard !profile || (mode == .train && !packed) else {
            throw UsageError("--profile: of training steps; expected no --mode and no --packed")
        }
        if let shortest, !packed { throw UsageError("--shortest \(shortest): expected --packed beside it") }
        let trace = try tracing.prepare()
        if packed {
            guard mode == .train else { throw UsageError("--packed: a comparison of its own; expected no --mode") }
            guard precision == .fp32 else {
                throw UsageError("--packed: compared in fp32; expected no --precision \(precision.rawValue)")
            }
            return try comparePacked(workload, cell)
        }
        if mode == .infer { return try measureInference(workload, cell, precision) }
        if mode == .ledger {
            guard precision == .fp32 else {
                throw UsageError("--mode ledger: measured in fp32; expected no --precision \(precision.rawValue)")
            }
            return try measureLedger(workload, cell)
        }
        if threads > 1, workers > 0 {
            throw UsageError("--threads \(threads) and --workers \(workers): expected one of the two")
        }
        if workers > 0 { try ClusterTraining.requireRoomForWorkers() }
        let parts = max(workers, threads)
        let warmup = 3
        let configuration = workload.configuration(
            cell: cell, precision: precision, parts: parts, batch: batchSize, shards: shards,
            steps: UInt64(steps + warmup))
        try configuration.validate()
        try configuration.requireMemory(vocabularySize: workload.size.vocabulary)
        let trainer = Trainer(configuration, source: workload.source(parts: parts, batch: batchSize))
        let traces = try trace?.parts ?? (profile ? TraceOptions.parts() : nil)
        if let traces { try TraceLog.begin(as: workers > 0 ? "coordinator" : "process", in: traces.directory) }
        var measuredSince: UInt64 = 0
        var firstStep: Double?
        var seconds: [Double] = []
        var random = SystemRandomNumberGenerator()
        let clock = ContinuousClock()
        var last = clock.now
        func stepDone() {
            let now = clock.now
            seconds.append((now - last) / .seconds(1))
            last = now
            if firstStep == nil { firstStep = ProcessAge.milliseconds }
            if seconds.count == warmup { measuredSince = Trace.now() }
            TraceLog.flush()
        }
        if workers > 0 {
            _ = try await ClusterTraining.train(
                trainer, run: RunID.random(using: &random), incarnation: 1, workers: workers,
                threads: ProcessInfo.processInfo.activeProcessorCount,
                shouldStop: { false },
                note: { _ in },
                stepDone: { _, _ in
                    stepDone()
                    return nil
                })
        } else {
            for _ in 0..<steps + warmup {
                trainer.beginStep()
                trainer.compute(trainer.wholeStep, threads: threads)
                _ = trainer.finishStep()
                stepDone()
            }
        }
        let written = Result { try trace?.write { Output.tell($0) } }
        TraceLog.end()
        let shares = profile ? try traces.map { BenchProfile(try $0.processes(), since: measuredSince) } : nil
        let peak = PeakMeasurement.floatingPointOperationsPerSecond(precision) * Double(parts)
        let measured = seconds.dropFirst(warmup).sorted()
        try report(
            BenchResult(
                workload: workload, cell: cell, threads: threads, workers: workers, trainer: trainer,
                median: measured[measured.count / 2], peak: peak, firstStep: firstStep, profile: shares))
        try written.get()
    }

    private func comparePacked(_ workload: Workload, _ cell: Cell) throws {
        guard threads == 1, workers == 0, shards == nil else {
            throw UsageError("--packed: one thread is measured; expected no --threads, --workers or --shards")
        }
        let shortest = shortest ?? 1
        guard shortest >= 1, shortest <= workload.size.length else {
            throw UsageError("--shortest \(shortest): expected a whole number from 1 to \(workload.size.length)")
        }
        let result = PackedResult(
            workload: workload, cell: cell, shortest: shortest,
            comparison: PackedComparison(workload, cell: cell, rounds: steps, shortest: shortest))
        if json {
            try Output.writeLine(jsonLine(result))
        } else {
            try Output.writeLine(
                """
                \(result.workload) \(result.cell), \(grouped(Double(result.packedTokens))) tokens in lengths \(shortest) to \
                \(workload.size.length): \(decimal(result.packedNanosecondsPerToken, 0)) ns a token packed, \
                \(decimal(result.equalNanosecondsPerToken, 0)) with equal lengths, ratio \(decimal(result.ratio, 3)) (\(result.kernels))
                """)
        }
    }

    private func report(_ result: BenchResult) throws {
        if json {
            try Output.writeLine(jsonLine(result))
        } else {
            try Output.writeLine(
                """
                \(result.workload) \(result.cell)\(precisionName(result.precision)): \(decimal(result.milliseconds, 3)) ms a step, \
                \(grouped(result.tokensPerSecond)) tokens/s, \(decimal(result.gflops, 1)) GFLOP/s, \
                \(decimal(result.peakShare * 100, 1)) % of \(decimal(result.peakGflops, 1)) (\(result.kernels))
                """)
            for line in result.profile?.lines ?? [] { try Output.writeLine(line) }
        }
    }
}

/// What `lockstep bench --json` prints.
struct BenchResult: Encodable {
    let workload: String
    let cell: String
    let precision: String
    let threads: Int
    let workers: Int
    let shards: Int
    let kernels: String
    let milliseconds: Double
    let tokensPerSecond: Double
    let gflops: Double
    let peakGflops: Double
    let peakShare: Double
    let parameters: Int
    let peakRssMb: Double
    /// From the start of the process to the end of its first step.
    let firstStepMs: Double?
    let profile: BenchProfile?

    init(
        workload: Workload, cell: Cell, threads: Int, workers: Int, trainer: Trainer, median: Double, peak: Double,
        firstStep: Double?, profile: BenchProfile?
    ) {
        let tokens = Double(trainer.configuration.batchSize * trainer.configuration.seqLen)
        self.workload = workload.rawValue
        self.cell = cell.rawValue
        precision = (trainer.configuration.precision ?? .fp32).rawValue
        self.threads = threads
        self.workers = workers
        shards = trainer.configuration.shards
        kernels = InstructionSet.active.rawValue
        milliseconds = median * 1e3
        tokensPerSecond = tokens / median
        // Forward, and twice that for backward; two operations a multiply-add.
        gflops = 6 * Double(trainer.computer.description.multiplyAddsPerToken) * tokens / median / 1e9
        peakGflops = peak / 1e9
        peakShare = gflops / peakGflops
        parameters = trainer.computer.layout.count
        peakRssMb = peakResidentMegabytes()
        firstStepMs = firstStep
        self.profile = profile
    }
}

/// What `lockstep bench --packed --json` prints.
struct PackedResult: Encodable {
    let workload: String
    let cell: String
    let kernels: String
    let shortest: Int
    let packedTokens: Int
    let packedNanosecondsPerToken: Double
    let equalNanosecondsPerToken: Double
    let ratio: Double

    init(workload: Workload, cell: Cell, shortest: Int, comparison: PackedComparison) {
        self.workload = workload.rawValue
        self.cell = cell.rawValue
        kernels = InstructionSet.active.rawValue
        self.shortest = shortest
        packedTokens = comparison.packedTokens
        packedNanosecondsPerToken = comparison.packedSecondsPerToken * 1e9
        equalNanosecondsPerToken = comparison.equalSecondsPerToken * 1e9
        ratio = comparison.ratio
    }
}

/// As it stands behind a cell's name: nothing for what is usual.
func precisionName(_ precision: String) -> String { precision == Precision.fp32.rawValue ? "" : " " + precision }

/// The most memory that this process has held, in MiB.
func peakResidentMegabytes() -> Double {
    var usage = rusage()
    guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return Double(usage.ru_maxrss) / 1024
}

/// One line of JSON with PyTorch-style field names.
func jsonLine(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    do { return String(decoding: try encoder.encode(value), as: UTF8.self) } catch {
        preconditionFailure("jsonLine: \(error)")
    }
}
