internal import Foundation
internal import Interchange

/// What a run directory needs of the file system, with errors in one line and durability spelled out.
enum FileSystem {
    /// Prefix of files that are being written; one that is found later was left by a process that died.
    static let temporaryPrefix = ".tmp-"

    /// Replaces a file by new content: readers see the old or the new, whole, and so does the disk after a power cut.
    static func writeAtomically(_ bytes: [UInt8], to name: String, in directory: String) throws(RunError) {
        let temporary = "\(directory)/\(temporaryPrefix)\(name)"
        do {
            let file = try OutputFile(path: temporary, .new)
            try unsafe file.write(bytes.span.bytes, at: 0)
            try file.synchronize()
            try rename(temporary, to: "\(directory)/\(name)")
        } catch {
            try? remove(temporary)
            throw error
        }
        try synchronizeDirectory(directory)
    }

    /// Brings a file that somebody else writes to the disk, as far as it is written.
    static func synchronizeFile(_ path: String) throws(RunError) {
        if let number = FileFaults.refusal(.synchronize(path)) {
            throw RunError(FileFailure("bring to disk", path, number: number))
        }
        let descriptor = retrying { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
        guard descriptor >= 0 else { throw RunError(FileFailure("open", path, number: errno)) }
        defer { close(descriptor) }
        guard retrying({ fsync(descriptor) }) == 0 else {
            throw RunError(FileFailure("bring to disk", path, number: errno))
        }
    }

    static func rename(_ old: String, to new: String) throws(RunError) {
        if let number = FileFaults.refusal(.rename(old, to: new)) {
            throw RunError(FileFailure("rename \(old) to", new, number: number))
        }
        guard unsafe Foundation.rename(old, new) == 0 else {
            throw RunError(FileFailure("rename \(old) to", new, number: errno))
        }
    }

    /// - Returns: a descriptor, which no child inherits; whoever asks closes it.
    static func openDirectory(_ path: String) throws(RunError) -> Int32 {
        let descriptor = retrying { unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw RunError(FileFailure("open", path, number: errno)) }
        return descriptor
    }

    /// Whether what is open is what lies at a path.
    static func lies(_ descriptor: Int32, at path: String, followingLinks: Bool) -> Bool {
        var (own, found) = (stat(), stat())
        let isThere = unsafe followingLinks ? stat(path, &found) == 0 : lstat(path, &found) == 0
        return unsafe isThere && fstat(descriptor, &own) == 0 && own.st_dev == found.st_dev
            && own.st_ino == found.st_ino
    }

    /// Makes the names within a directory durable.
    static func synchronizeDirectory(_ path: String) throws(RunError) {
        if let number = FileFaults.refusal(.synchronizeDirectory(path)) {
            throw RunError(FileFailure("bring to disk", path, number: number))
        }
        let descriptor = try openDirectory(path)
        defer { close(descriptor) }
        guard retrying({ fsync(descriptor) }) == 0 else {
            throw RunError(FileFailure("bring to disk", path, number: errno))
        }
    }

    /// Makes a directory and those above it that are missing.
    ///
    /// - Returns: false when it was there already.
    @discardableResult
    static func makeDirectory(_ path: String) throws(RunError) -> Bool {
        if kind(of: path, followsLinks: true) == .directory { return false }
        if let number = FileFaults.refusal(.makeDirectory(path)) {
            throw RunError(FileFailure("make directory", path, number: number))
        }
        if unsafe mkdir(path, 0o777) == 0 { return true }
        switch errno {
        case EEXIST where kind(of: path, followsLinks: true) == .directory: return false
        case EEXIST: throw RunError(FileFailure("make directory", path, number: ENOTDIR))
        case ENOENT where !path.isEmpty:
            let parent = self.parent(of: path)
            guard parent != path else { throw RunError(FileFailure("make directory", path, number: ENOENT)) }
            guard try makeDirectory(parent) else {
                // Another process may have made it just now; one that was there before is not what is missing.
                if unsafe mkdir(path, 0o777) == 0 { return true }
                guard errno == EEXIST else { throw RunError(FileFailure("make directory", path, number: errno)) }
                return try makeDirectory(path)
            }
            // Its name must not be lost to a power cut when what comes to lie in it is not.
            try synchronizeDirectory(self.parent(of: parent))
            return try makeDirectory(path)
        default: throw RunError(FileFailure("make directory", path, number: errno))
        }
    }

    /// The directory that holds `path`: "." for a bare name.
    static func parent(of path: String) -> String {
        let trimmed = Substring(path).trimmingSuffix("/")
        guard let slash = trimmed.lastIndex(of: "/") else { return trimmed.isEmpty ? "/" : "." }
        let parent = trimmed[..<slash].trimmingSuffix("/")
        return parent.isEmpty ? "/" : String(parent)
    }

    enum Kind: String {
        case file = "a file"
        case directory = "a directory"
        case link = "a symbolic link"
        case pipe = "a pipe"
        case socket = "a socket"
        case device = "a device"
    }

    /// What lies at a path; nil when nothing does, or when it cannot be told.
    static func kind(of path: String, followsLinks: Bool = false) -> Kind? {
        try? foundKind(of: path, followsLinks: followsLinks)
    }

    /// What lies at a path; nil when nothing does.
    ///
    /// - Throws: when it cannot be told, as in a directory that this user may not enter.
    static func foundKind(of path: String, followsLinks: Bool = false) throws(RunError) -> Kind? {
        var status = stat()
        guard unsafe (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else {
            if errno == ENOENT { return nil }
            throw RunError(FileFailure("open", path, number: errno))
        }
        return switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .link
        case S_IFIFO: .pipe
        case S_IFSOCK: .socket
        default: .device
        }
    }

    /// What lies at a path, for a sentence about what should not: "a symbolic link that leads nowhere".
    static func description(of kind: Kind, at path: String) -> String {
        let leadsNowhere = kind == .link && self.kind(of: path, followsLinks: true) == nil
        return kind.rawValue + (leadsNowhere ? " that leads nowhere" : "")
    }

    /// Refuses a file that this user may not write to, or a directory in which he may make none, before anything is tried.
    static func requireWritable(_ path: String, _ kind: Kind) throws(RunError) {
        guard unsafe access(path, kind == .directory ? W_OK | X_OK : W_OK) != 0 else { return }
        let failure = FileFailure("open", path, number: errno)
        guard errno != ENOENT else { return }
        throw RunError(
            RunError(failure).code,
            "\(path): \(failure.reason); expected \(kind.rawValue) that this user may write to", cause: failure)
    }

    /// Names in a directory, in byte order, without "." and "..".
    static func names(in path: String) throws(RunError) -> [String] {
        guard let stream = unsafe opendir(path) else { throw RunError(FileFailure("open", path, number: errno)) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                guard errno == 0 else { throw RunError(FileFailure("read", path, number: errno)) }
                return names.sorted { $0.precedesByBytes($1) }
            }
            // A record is as long as its name, so that its struct may not be copied whole.
            let start = unsafe UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
            let name = unsafe String(cString: start.assumingMemoryBound(to: CChar.self))
            if name != ".", name != ".." { names.append(name) }
        }
    }

    /// Removes a file, or a directory and the files in it; what is not there is removed already.
    static func remove(_ path: String) throws(RunError) {
        guard let kind = kind(of: path) else { return }
        if kind == .directory {
            for name in try names(in: path) { try remove("\(path)/\(name)") }
        }
        if let number = FileFaults.refusal(.remove(path)) {
            throw RunError(FileFailure("remove", path, number: number))
        }
        let result = unsafe kind == .directory ? rmdir(path) : unlink(path)
        guard result == 0 || errno == ENOENT else { throw RunError(FileFailure("remove", path, number: errno)) }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ mark: Character) -> Substring {
        var rest = self
        while rest.last == mark { rest.removeLast() }
        return rest
    }
}
