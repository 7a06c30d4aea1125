import Foundation
import Testing

/// What the trials of faults need beside the command, and which of them need it.
private enum Tool: CaseIterable {
    case strace
    case compiler
    case mounts
    case namespaces

    /// The beginnings of the kinds' names.
    var kinds: [String] {
        switch self {
        case .strace: ["power cut"]
        case .compiler:
            ["clock jump", "full at each write", "read-only at each write", "no descriptor at each open"]
        case .mounts: ["disk full", "disk loses its room", "disk read-only"]
        case .namespaces: ["network "]
        }
    }

    /// A line of the shell that succeeds where it can be used.
    private var probe: String {
        switch self {
        case .strace: "command -v strace"
        case .compiler: "command -v cc"
        case .mounts: "test $(id -u) = 0 && unshare -m mount -t tmpfs tmpfs /mnt"
        case .namespaces: "ip netns add lkt-$$ && ip netns del lkt-$$"
        }
    }

    func isThere(_ place: borrowing Workplace) throws -> Bool { try place.shell("\(probe) >/dev/null 2>&1").code == 0 }
}

@Suite(.tags(.processes), .timeLimit(.minutes(15)))
struct `A sample of every fault` {
    private static let hasPython = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        .contains { FileManager.default.isExecutableFile(atPath: "\($0)/python3") }

    /// Kinds that need nothing but Python.
    private static let always = [
        "kill-coordinator", "kill-everything", "kill-one-after-another", "kill-worker", "signal", "stop-worker",
        "stop-coordinator", "damage", "64 descriptors",
    ]

    /// The whole of it, and what each trial is: `./scripts/soak.sh --list`.
    @Test(.enabled(if: hasPython, "every kind of trial is left out: scripts/soak.sh needs python3"))
    func `costs time and nothing else, and nothing is left out that can be tried`() throws {
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

        let lines = outcome.errors.split(separator: "\n")
        let tried = lines.filter { $0.contains(" trials  ") }
        var expected = Self.always
        for tool in Tool.allCases {
            if try tool.isThere(place) {
                expected += tool.kinds
            } else {
                print("left out, as \(tool) cannot be used here: \(tool.kinds.joined(separator: ", "))")
            }
        }
        for kind in expected {
            #expect(
                tried.contains { $0.hasPrefix(kind) },
                "\(kind): left out although its tools are there: \(outcome.errors)")
        }
        for line in lines where line.hasPrefix("not tried: ") { print(line) }
    }
}
