internal import Foundation
internal import Interchange

/// A safetensors file with this header and this many bytes of data, whatever sense they make.
func safetensors(_ header: String, data: Int = 0) -> [UInt8] {
    let json = Array(header.utf8)
    return littleEndian(UInt64(json.count)) + json + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
}

func littleEndian(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

/// The seed of this run's random trials: `LOCKSTEP_TEST_SEED`, or a new one, printed.
let testSeed: UInt64 = {
    let seed =
        ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"].flatMap(UInt64.init) ?? .random(in: 0...999_999)
    print("InterchangeTests: LOCKSTEP_TEST_SEED=\(seed)")
    return seed
}()

/// SplitMix64: small, and the same everywhere.
struct SeededGenerator: RandomNumberGenerator {
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

/// A new directory, removed after `body`.
func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = NSTemporaryDirectory() + "/lockstep-interchange-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// The folder of reference files: `LOCKSTEP_SHARED`, or `../shared` beside the package; nil when there is none.
let goldenDirectory: String? = {
    let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let shared =
        ProcessInfo.processInfo.environment["LOCKSTEP_SHARED"].map { URL(filePath: $0) }
        ?? package.deletingLastPathComponent().appending(path: "shared")
    let golden = shared.appending(path: "golden").path(percentEncoded: false)
    return FileManager.default.fileExists(atPath: golden) ? golden : nil
}()
