internal import Foundation
internal import Synchronization

/// Where this process leaves what it takes down, until it is joined with what others left.
package enum TraceLog {
    /// Where a process that is started finds the directory to leave its part in.
    package static let variable = "LOCKSTEP_TRACE_PARTS"

    private struct State {
        var file: FileHandle?
        var lost = 0
    }
    private static let state = Mutex(State())

    /// Starts to take down what this process does, in a part of its own below `directory`.
    package static func begin(as name: String, in directory: String) throws {
        let path = "\(directory)/\(ProcessInfo.processInfo.processIdentifier)-\(name)\(TraceParts.suffix)"
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw TraceError(description: "\(path): cannot be written; expected a place for a part of the trace") }
        state.withLock { $0 = State(file: file) }
        Trace.start()
    }

    /// Writes what was taken down once there is much of it; called between steps.
    package static func flush() {
        if Trace.isOn, Trace.isFilling { write() }
    }

    /// Writes what is left and stops.
    ///
    /// - Returns: how many spans found no room.
    @discardableResult
    package static func end() -> Int {
        guard Trace.isOn else { return 0 }
        Trace.stop()
        write()
        return state.withLock { state in
            defer { state = State() }
            try? state.file?.close()
            return state.lost
        }
    }

    private static func write() {
        let (records, lost) = Trace.take()
        let lines = Data(TracedProcess.lines(records).utf8)
        state.withLock { state in
            state.lost += lost
            // A trace is for looking at: a full disk must not end the training.
            do { try state.file?.write(contentsOf: lines) } catch { state.lost += records.count }
        }
    }
}

/// A trace that cannot be written.
package struct TraceError: Error, CustomStringConvertible {
    package let description: String
}

/// A directory in which the processes of a run leave their parts; it goes away with its owner.
package final class TraceParts {
    static let suffix = ".part"
    package let directory: String

    /// Makes the directory and tells every process that is started from now on.
    package init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("lockstep-trace-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        directory = url.path
        unsafe setenv(TraceLog.variable, directory, 1)
    }

    deinit {
        unsafe unsetenv(TraceLog.variable)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// What each process left, by name and number.
    package func processes() throws -> [TracedProcess] {
        try FileManager.default.contentsOfDirectory(atPath: directory).compactMap { file -> TracedProcess? in
            let parts = file.dropLast(Self.suffix.count).split(separator: "-", maxSplits: 1)
            guard file.hasSuffix(Self.suffix), parts.count == 2, let identifier = Int32(parts[0]) else { return nil }
            let lines = try String(contentsOfFile: "\(directory)/\(file)", encoding: .utf8)
            return TracedProcess(name: String(parts[1]), identifier: identifier, lines: lines)
        }.sorted { ($0.name, $0.identifier) < ($1.name, $1.identifier) }
    }
}
