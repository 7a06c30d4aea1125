import Foundation
import Messaging
import Tracing

/// Where a trace is to go, as it was found before anything was begun.
struct TracePlace {
    /// As the command line has it.
    let name: String
    /// Without links.
    private let path: String
    /// What lay there; nil when nothing did.
    private let found: FileState?

    /// A file, and when it was written last.
    private struct FileState: Equatable {
        let device, inode, size, seconds, nanoseconds: Int

        init(_ status: stat) {
            device = Int(truncatingIfNeeded: status.st_dev)
            inode = Int(truncatingIfNeeded: status.st_ino)
            size = Int(status.st_size)
            #if canImport(Darwin)
                let written = status.st_mtimespec
            #else
                let written = status.st_mtim
            #endif
            (seconds, nanoseconds) = (Int(written.tv_sec), Int(written.tv_nsec))
        }
    }

    /// Refuses a place that cannot be written, one among a run's own files, and a file that is no trace; nothing is made there.
    ///
    /// - Parameter run: the directory of the run that is traced, there or not yet.
    init(_ name: String, run: String?) throws(UsageError) {
        guard !name.isEmpty else { throw UsageError("--trace '': expected a place for a file") }
        func refusal(_ what: String, _ expected: String = "a place for a file") -> UsageError {
            UsageError("--trace \(name): \(what); expected \(expected)")
        }
        self.name = name
        let path = Self.canonical(name)
        if let run, !run.isEmpty {
            let run = Self.canonical(run)
            // Where nothing is yet, the run may make the directory that its own is to lie in.
            guard !"\(path)/".hasPrefix("\(run)/"), !run.hasPrefix("\(path)/") || Self.isThere(path) else {
                throw refusal("lies in the place of the run's own files", "a place outside of \(run)")
            }
        }
        var status = stat()
        if unsafe lstat(name, &status) == 0 {
            let isLink = status.st_mode & S_IFMT == S_IFLNK
            guard unsafe stat(name, &status) == 0 else {
                throw refusal("\(isLink ? "a symbolic link that leads nowhere: " : "")\(Self.reason(errno))")
            }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw refusal("what is there is no trace", "a new place, or a trace to write over")
            }
            try Self.requireTraceOrEmpty(path, refusal)
            guard unsafe access(path, W_OK) == 0 else { throw refusal("cannot be written: \(Self.reason(errno))") }
            found = FileState(status)
        } else {
            guard errno == ENOENT else { throw refusal("cannot be written: \(Self.reason(errno))") }
            let parent = (path as NSString).deletingLastPathComponent
            let number = unsafe name.hasSuffix("/") ? EISDIR : access(parent, W_OK | X_OK) == 0 ? 0 : errno
            guard number == 0 else { throw refusal("cannot be written: \(Self.reason(number))") }
            found = nil
        }
        self.path = path
    }

    private static func isThere(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    private static func reason(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }

    /// A path without links, as far as what it names is there.
    private static func canonical(_ path: String) -> String {
        var (there, missing) = (path, [String]())
        while true {
            if let real = unsafe realpath(there.isEmpty ? "." : there, nil) {
                defer { unsafe free(real) }
                let beginning = unsafe String(cString: real)
                return ([beginning == "/" ? "" : beginning] + missing.reversed()).joined(separator: "/")
            }
            guard !there.isEmpty, there != "/" else { return path }
            missing.append((there as NSString).lastPathComponent)
            there = (there as NSString).deletingLastPathComponent
        }
    }

    private static func requireTraceOrEmpty(
        _ path: String, _ refusal: (_ what: String, _ expected: String) -> UsageError
    ) throws(UsageError) {
        let expected = "a new place, or a trace to write over"
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { throw refusal("cannot be read: \(reason(errno))", expected) }
        defer { close(file) }
        let wanted = Array([TracedProcess].traceBeginning.utf8)
        var beginning = [UInt8](repeating: 0, count: wanted.count)
        let count = unsafe beginning.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw refusal("cannot be read: \(reason(errno))", expected) }
        guard count == 0 || beginning == wanted else { throw refusal("what is there is no trace", expected) }
    }

    /// Writes all of it, or leaves nothing of it; never over what has come there since the place was looked at.
    func write(_ bytes: [UInt8]) throws(TraceError) {
        func failure(_ what: String) -> TraceError { TraceError(description: "--trace \(name): \(what)") }
        let flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        var isNew = found == nil
        var file = isNew ? -1 : unsafe open(path, flags)
        if isNew || file < 0 && errno == ENOENT {
            isNew = true
            file = unsafe open(path, flags | O_CREAT | O_EXCL, 0o666)
        }
        guard file >= 0 else {
            throw failure(
                errno == EEXIST
                    ? "something was put there meanwhile; expected nothing, as it was at the start, and nothing was written over"
                    : "cannot be written: \(Self.reason(errno))")
        }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw failure("cannot be written: \(Self.reason(errno))") }
        guard isNew || FileState(status) == found else {
            throw failure(
                "what is there was changed meanwhile; expected it as it was at the start, and nothing was written over")
        }
        let number = ftruncate(file, 0) == 0 ? writeWhole(bytes, to: file) : errno
        guard number == 0 else {
            if isNew { unsafe unlink(path) } else { ftruncate(file, 0) }
            throw failure("cannot be written: \(Self.reason(number))")
        }
    }
}
