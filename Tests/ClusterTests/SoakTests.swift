import Foundation
import Testing

@Suite(.tags(.processes), .timeLimit(.minutes(8)))
struct `A sample of every fault` {
    private static let hasPython = ["/usr/bin", "/usr/local/bin"].contains { directory in
        FileManager.default.isExecutableFile(atPath: "\(directory)/python3")
    }

    /// The whole of it, and what each trial is: `./scripts/soak.sh --list`.
    @Test(.enabled(if: hasPython, "scripts/soak.sh needs python3"))
    func `costs time and nothing else`() throws {
        let place = try Workplace()
        let seed = ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"] ?? "\(UInt32.random(in: 0 ... .max))"
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("scripts/soak.sh").path
        let outcome = try RunningProcess(
            "/bin/bash", [script, "--sample", "--seed", seed], environment: ["LOCKSTEP_SOAK_BUILT": "1"],
            directory: place.path
        ).wait()
        #expect(outcome.code == 0, "LOCKSTEP_TEST_SEED=\(seed): \(outcome)")
        #expect(outcome.output.hasPrefix("trials ") && outcome.output.hasSuffix("differing bits 0, leftovers 0\n"))
    }
}
