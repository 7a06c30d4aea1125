internal import Foundation
internal import Interchange

/// Holds a run for this process; the system lets go when the process ends, however it ends.
///
/// Both the directory and the file that names the holder are locked: whoever removes the file, which looks as if it had been left
/// behind, does not let a second process in.
final class RunLock: Sendable {
    /// Who holds a run, as the lock file says.
    private struct Holder: Codable {
        let pid: Int32
        let host: String
        let since: String
        /// A line as in the file `incarnation`; left out until it is known, and by earlier versions.
        var incarnation: String?
    }

    static let fileName = "lock"

    private let directory: Int32
    private let descriptor: Int32
    private let path: String
    private let holder: Holder
    /// What the lock file says of which the last holder was; nil when it does not.
    let lastLine: String?
    /// Which that was; nil when that cannot be told.
    var lastIncarnation: UInt64? { lastLine.flatMap { IncarnationLine.number(in: Array("\($0)\n".utf8)) } }

    /// - Throws: `RunError.held`, naming the holder, when another process has it.
    init(run: String) throws(RunError) {
        let path = "\(run)/\(Self.fileName)"
        // Closed on exec: a child that inherited it would hold the run after its parent's death.
        let directory = try FileSystem.openDirectory(run)
        let descriptor = retrying { unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666) }
        guard descriptor >= 0 else {
            let number = errno
            close(directory)
            throw RunError(FileFailure("open", path, number: number))
        }
        do {
            for part in [directory, descriptor] { try Self.lock(part, of: run, path) }
        } catch {
            close(directory)
            close(descriptor)
            throw error
        }
        self.directory = directory
        self.descriptor = descriptor
        self.path = path
        lastLine = Self.readHolder(path)?.incarnation
        // The last holder's number stays until this one's is known.
        holder = Holder(pid: getpid(), host: Self.hostName, since: Date.now.formatted(.iso8601), incarnation: lastLine)
        try write(holder)
    }

    /// Takes down which holder of the run this is, and returns when that is on the disk.
    func record(incarnation: UInt64) throws(RunError) {
        var holder = holder
        holder.incarnation = String(decoding: IncarnationLine.bytes(incarnation).dropLast(), as: UTF8.self)
        try write(holder)
        guard retrying({ fsync(descriptor) }) == 0 else {
            throw RunError(FileFailure("bring to disk", path, number: errno))
        }
    }

    private func write(_ holder: Holder) throws(RunError) {
        let text = try JSONText.encode(holder, .oneLine, as: path)
        guard ftruncate(descriptor, 0) == 0,
            unsafe text.withUnsafeBytes({ unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == text.count
        else { throw RunError(FileFailure("write", path, number: errno)) }
    }

    /// Asks whether another process holds a run that this one does not want.
    ///
    /// - Throws: `RunError.held`, naming the holder.
    static func requireFree(_ run: String) throws(RunError) {
        let directory = try FileSystem.openDirectory(run)
        defer { close(directory) }
        try lock(directory, of: run, "\(run)/\(fileName)")
    }

    /// Whether a process trains a run, as far as that can be told without getting into its way.
    static func isHeld(_ run: String) -> Bool {
        guard let holder = readHolder("\(run)/\(fileName)") else { return false }
        // The lock itself is asked only while its holder may live: nobody who takes the run up finds it held by the question.
        if holder.host == hostName, kill(holder.pid, 0) != 0, errno == ESRCH { return false }
        guard let directory = try? FileSystem.openDirectory(run) else { return false }
        defer { close(directory) }
        return retrying { flock(directory, LOCK_SH | LOCK_NB) } != 0 && errno == EWOULDBLOCK
    }

    /// Sees that the run still lies at its path: the lock is the directory's, and everything else goes by the path.
    ///
    /// - Throws: when the directory was moved or replaced; what lies there now is somebody else's, and nothing of it may change.
    func requirePlace(_ run: String) throws(RunError) {
        guard FileSystem.lies(directory, at: run, followingLinks: true) else {
            throw RunError(
                .damaged,
                "\(run): moved, removed or replaced while the run was held; expected the directory that it was in, and nothing was written to what lies there now"
            ).midway
        }
    }

    deinit {
        close(descriptor)
        close(directory)
    }

    private static func lock(_ descriptor: Int32, of run: String, _ path: String) throws(RunError) {
        var attempts = 0
        while retrying({ flock(descriptor, LOCK_EX | LOCK_NB) }) != 0 {
            let number = errno
            if number == EWOULDBLOCK, attempts < 20, mayBeLetGo(path) {
                attempts += 1
                usleep(50_000)
                continue
            }
            throw number == EWOULDBLOCK
                ? RunError(.held, "\(run): held by \(holder(path)); one process at a time can train a run")
                : RunError(FileFailure("lock", path, number: number))
        }
    }

    private static func readHolder(_ path: String) -> Holder? {
        guard let bytes = try? InputFile.contents(of: path, limit: 4096) else { return nil }
        return try? JSONText.decode(Holder.self, from: bytes, path: path)
    }

    /// Whether the lock is of this process or of one that is gone: a child that one of them has forked holds it, too, until it comes
    /// to its exec a moment later.
    private static func mayBeLetGo(_ path: String) -> Bool {
        guard let holder = readHolder(path), holder.host == hostName else { return false }
        return holder.pid == getpid() || (kill(holder.pid, 0) != 0 && errno == ESRCH)
    }

    private static func holder(_ path: String) -> String {
        guard let holder = readHolder(path) else { return "another process" }
        let stopped = holder.host == hostName ? StoppedHolder(holder.pid)?.sentence ?? "" : ""
        return "process \(holder.pid) on host \(holder.host) since \(holder.since)\(stopped)"
    }

    private static var hostName: String {
        var name = [UInt8](repeating: 0, count: 256)
        let result = unsafe name.withUnsafeMutableBytes { buffer in
            unsafe gethostname(buffer.assumingMemoryBound(to: CChar.self).baseAddress!, buffer.count - 1)
        }
        return result == 0 ? String(decoding: name.prefix { $0 != 0 }, as: UTF8.self) : "unknown"
    }
}
