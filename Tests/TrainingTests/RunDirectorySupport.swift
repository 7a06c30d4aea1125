internal import Coordination
internal import Foundation
internal import Interchange
internal import Testing
internal import Training

/// What the tests of the run directory share.
enum RunDirectoryTesting {
    /// The seed of this run's random trials: `LOCKSTEP_TEST_SEED`, or a new one, printed.
    static let seed: UInt64 = {
        let seed =
            ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"].flatMap(UInt64.init) ?? .random(in: 0...999_999)
        print("RunDirectoryTests: LOCKSTEP_TEST_SEED=\(seed)")
        return seed
    }()

    /// SplitMix64: small, and the same everywhere.
    struct Generator: RandomNumberGenerator {
        private var state: UInt64
        init(_ seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    struct Settings: Codable, Equatable {
        var lr = 0.004
        var steps: UInt64 = 100
        var nested = ["a": 1, "b": 2]
    }

    /// A path that is not there yet, in a new directory that is removed after `body`.
    static func withPath<Result>(_ body: (String) throws -> Result) throws -> Result {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        return try body(directory.appending(path: "run").path(percentEncoded: false))
    }

    static func withPath<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        return try await body(directory.appending(path: "run").path(percentEncoded: false))
    }

    private static func makeDirectory() throws -> URL {
        // In memory where the system has such a place: a test makes hundreds of files durable that nobody will miss.
        let memory = URL(filePath: "/dev/shm", directoryHint: .isDirectory)
        let parent =
            FileManager.default.isWritableFile(atPath: "/dev/shm") ? memory : FileManager.default.temporaryDirectory
        let directory = parent.appending(path: "lockstep-run-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    static func parameters(_ step: UInt64) -> [NamedTensor] {
        let values = (0..<6).map { Float(step) + Float($0) / 8 }
        return [
            NamedTensor(name: "rnn.weight_ih_l0", shape: [3, 2], values: values),
            NamedTensor(name: "bias", shape: [2], values: Array(values.suffix(2))),
        ]
    }

    static func files(_ step: UInt64) throws -> [CheckpointFile] {
        [
            .tensors(CheckpointFile.parametersName, parameters(step)),
            .tensors(
                CheckpointFile.optimizerName, [NamedTensor(name: "step", shape: [1], values: [Float(step)])],
                metadata: ["updates": "\(step)"]),
            try .json("state.json", ["step": step]),
        ]
    }

    static func entry(_ step: UInt64) -> LedgerEntry {
        LedgerEntry(
            step: step, batch: step &* 0x9E37_79B9_7F4A_7C15, gradient: [step, ~step],
            parameters: parameters(step).map { $0.withBytes { XXH64.hash($0) } },
            loss: 4 / Double(step), tokens: 100 + step)
    }

    struct Record: Codable, Equatable {
        var step: UInt64
        var loss: Double
    }

    /// Takes `steps` from where the run stands to `last`, with a checkpoint every `every` steps.
    static func advance(_ run: HeldRun, _ resumption: Resumption, to last: UInt64, every: UInt64, keep: Int = 3) throws
    {
        while resumption.ledger.step < last {
            let step = resumption.ledger.step + 1
            try resumption.ledger.append(entry(step))
            try resumption.metrics.append(Record(step: step, loss: entry(step).loss))
            if step.isMultiple(of: every) {
                try run.writeCheckpoint(files(step), after: resumption.ledger, keep: keep)
            }
        }
    }

    /// A run that was taken to `last` and let go.
    @discardableResult
    static func makeRun(_ path: String, to last: UInt64, every: UInt64, keep: Int = 3) throws -> RunDirectory {
        let run = try RunDirectory.create(at: path, configuration: Settings())
        try advance(run, run.resume(), to: last, every: every, keep: keep)
        return run.directory
    }

    static func read(_ path: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(filePath: path))) }
    static func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
        try Data(bytes).write(to: URL(filePath: path))
    }
    static func names(in path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    /// Lets no file of this process grow past `size` bytes.
    static func limitFileSize(to size: Int) throws {
        var limit = rlimit()
        try #require(unsafe getrlimit(RLIMIT_FSIZE.resource, &limit) == 0)
        limit.rlim_cur = rlim_t(size)
        try #require(unsafe setrlimit(RLIMIT_FSIZE.resource, &limit) == 0)
    }

    /// The error that `body` throws; nil when it throws none.
    static func error(_ body: () throws -> some Any) -> RunError? {
        do {
            _ = try body()
            return nil
        } catch { return error as? RunError }
    }
}

#if os(Linux)
    extension __rlimit_resource {
        /// The C library declares the limits as one type and takes them as another.
        fileprivate var resource: __rlimit_resource_t { __rlimit_resource_t(rawValue) }
    }
#else
    extension Int32 {
        fileprivate var resource: Int32 { self }
    }
#endif
