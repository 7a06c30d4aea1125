import Foundation
import Synchronization
import TestSupport
import Testing

/// One real `lockstep` process: its exit code and what it printed.
struct Outcome: Sendable {
    let code: Int32
    let output: String
    let errors: String

    /// The member of the JSON object that was printed.
    func member(_ name: String) -> String {
        guard let object = try? JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any],
            let value = object[name]
        else { return "no \(name) in: \(output)\(errors)" }
        return "\(value)"
    }
}

/// Starts the built command; a directory of its own for each test.
struct Workplace: ~Copyable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("lkt-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A text that a tiny model can train on.
    func text() throws -> String {
        let words = ["the ", "cat ", "sat ", "on a ", "mat.\n", "why? "]
        var state: UInt32 = 7
        let content = (0..<1500).map { _ -> String in
            state = state &* 1_664_525 &+ 1_013_904_223
            return words[Int(state >> 16) % words.count]
        }.joined()
        let file = "\(path)/text"
        try content.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    static func executable(_ program: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(".build/release/\(program)").path
    }

    func start(
        _ arguments: [String], program: String = "lockstep", environment: [String: String] = [:]
    ) throws -> RunningProcess {
        try RunningProcess(Self.executable(program), arguments, environment: environment, directory: path)
    }

    /// Runs a line of the shell in the directory.
    func shell(_ line: String) throws -> Outcome {
        try RunningProcess("/bin/bash", ["-c", "cd '\(path)' && { \(line); }"], environment: [:], directory: path)
            .wait()
    }

    func run(
        _ arguments: [String], program: String = "lockstep", environment: [String: String] = [:]
    ) throws -> Outcome {
        try start(arguments, program: program, environment: environment).wait()
    }
}

final class RunningProcess: Sendable {
    private let process: ChildProcess
    private let files: [String]

    init(_ executable: String, _ arguments: [String], environment: [String: String], directory: String) throws {
        let name = UUID().uuidString
        files = ["\(directory)/\(name).out", "\(directory)/\(name).err"]
        for file in files { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        process = try ChildProcess(
            executable, arguments, environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
            output: files[0], errors: files[1])
    }

    var identifier: Int32 { process.identifier }
    var isRunning: Bool { process.isRunning }
    var errors: String { (try? String(contentsOfFile: files[1], encoding: .utf8)) ?? "" }

    func signal(_ number: Int32) { kill(process.identifier, number) }

    func wait() -> Outcome {
        let code = process.wait()
        let output = (try? String(contentsOfFile: files[0], encoding: .utf8)) ?? ""
        return Outcome(code: code, output: output, errors: errors)
    }

    /// Waits until `condition` holds; false when the process ended first.
    func wait(until condition: () -> Bool) -> Bool {
        while process.isRunning {
            if condition() { return true }
            usleep(5_000)
        }
        return condition()
    }

    /// The workers: processes that this one has started, or that those have, which have started none themselves.
    var children: [Int32] {
        let parents = ProcessTable.parents()
        func ends(of identifier: Int32) -> [Int32] {
            parents.filter { $0.value == identifier }.keys.sorted().flatMap { child in
                let below = ends(of: child)
                return below.isEmpty ? [child] : below
            }
        }
        return ends(of: identifier)
    }

    /// The process that this one supervises.
    var coordinator: Int32? { ProcessTable.parents().first { $0.value == identifier }?.key }
}

/// What /proc says of the processes of this machine.
enum ProcessTable {
    /// The most memory that a process has had at a time, in bytes, what it shares with others included; 0 when it has ended.
    static func peakMemory(of identifier: Int32) -> Int {
        let status = (try? String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0) << 10
    }

    /// The parent of each process.
    static func parents() -> [Int32: Int32] {
        var parents: [Int32: Int32] = [:]
        for identifier in identifiers() {
            guard let status = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
                let close = status.lastIndex(of: ")")
            else { continue }
            let fields = status[status.index(after: close)...].split(separator: " ")
            if fields.count > 1, fields[0] != "Z" { parents[identifier] = Int32(fields[1]) }
        }
        return parents
    }

    /// Processes that live with `TMPDIR` set to this directory.
    static func living(in directory: String) -> [Int32] {
        identifiers().filter { identifier in
            guard let data = FileManager.default.contents(atPath: "/proc/\(identifier)/environ") else { return false }
            return data.split(separator: 0).contains { String(decoding: $0, as: UTF8.self) == "TMPDIR=\(directory)" }
        }
    }

    private static func identifiers() -> [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
    }
}

extension Tag {
    /// Starts real processes.
    @Tag static var processes: Self
}
