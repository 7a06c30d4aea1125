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
    /// One line: what, where, wanted, got.
    package let description: String

    package init(description: String) { self.description = description }
}

/// A directory in which the processes of a run leave their parts; it goes away with its owner.
///
/// A file in it, locked for as long as its owner lives, lets the next start remove what an owner has left that was killed, as it
/// removes the directories of sockets.
package final class TraceParts {
    static let suffix = ".part"
    private static let lockName = "owner"
    package let directory: String
    /// Nil where another process is the owner.
    private let lock: Int32?

    /// Makes the directory and tells every process that is started from now on.
    package init() throws(TraceError) {
        while true {
            var template = Array("\(Self.parent)/lockstep-trace-XXXXXX".utf8CString)
            guard unsafe mkdtemp(&template) != nil else { throw Self.refusal("\(Self.parent)/lockstep-trace-XXXXXX") }
            let path = unsafe template.withUnsafeBufferPointer { unsafe String(cString: $0.baseAddress!) }
            let lock = unsafe open(
                "\(path)/\(Self.lockName)", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard lock >= 0 else {
                let refusal = Self.refusal(path)
                unsafe rmdir(path)
                throw refusal
            }
            var status = stat()
            if unsafe flock(lock, LOCK_EX | LOCK_NB) == 0 && fstat(lock, &status) == 0 && status.st_nlink > 0 {
                (directory, self.lock) = (path, lock)
                break
            }
            // Somebody who sweeps took it for left behind before it was locked: it is gone, or will be.
            close(lock)
        }
        unsafe setenv(TraceLog.variable, directory, 1)
    }

    /// `TMPDIR`, or `/tmp` where that names nothing.
    private static var parent: String {
        var path = ProcessInfo.processInfo.environment["TMPDIR"] ?? ""
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path.isEmpty ? "/tmp" : path
    }

    /// What the system has just refused.
    private static func refusal(_ path: String) -> TraceError {
        let number = errno
        return TraceError(
            description:
                "directory \(path): \(unsafe String(cString: strerror(number))) (error \(number)); expected TMPDIR to be a directory in which this user can make another"
        )
    }

    /// That of the process which has started this one, and which stays its owner.
    private init(of directory: String) { (self.directory, lock) = (directory, nil) }

    /// Where whoever has started this process wants its part; nil when that is nowhere, or gone.
    package static func given() -> TraceParts? {
        guard let directory = ProcessInfo.processInfo.environment[TraceLog.variable],
            FileManager.default.fileExists(atPath: directory)
        else { return nil }
        return TraceParts(of: directory)
    }

    deinit {
        guard let lock else { return }
        unsafe unsetenv(TraceLog.variable)
        try? FileManager.default.removeItem(atPath: directory)
        close(lock)
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
