internal import Foundation
internal import Messaging

/// A directory of keys that is held open: whatever is read, made or removed in it is found through its descriptor.
///
/// Whoever owns a directory above it can put another in its place, but only under its name. No symbolic link is followed.
final class KeyPlace: Sendable {
    /// Its name when it was opened, for sentences.
    let path: String
    private let descriptor: Int32

    /// Opens a directory of this user's that nobody else can enter.
    convenience init(_ path: String) throws(ClusterError) {
        try PrivateFile.checkDirectory(path)
        try self.init(path, at: AT_FDCWD, path)
        try check()
    }

    /// Opens whatever directory has the name there, but none that a link leads to.
    private init(_ path: String, at directory: Int32, _ name: String) throws(ClusterError) {
        self.path = path
        descriptor = unsafe openat(directory, name, Self.flags)
        guard descriptor >= 0 else {
            // So says the system of a link, too.
            let isOther = errno == ENOTDIR || errno == ELOOP
            throw isOther
                ? ClusterError(exitCode: 2, "directory \(path): not a directory; wanted one of mode 0700")
                : PrivateFile.failure("directory \(path)", errno)
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    /// Refuses it when others can enter it by now.
    func check() throws(ClusterError) {
        do { try PrivateDirectory.check(path, descriptor) } catch { throw ClusterError(exitCode: 2, "\(error)") }
    }

    /// Whether it still lies where it was opened.
    var isInPlace: Bool {
        var (own, there) = (stat(), stat())
        return unsafe fstat(descriptor, &own) == 0 && lstat(path, &there) == 0 && own.st_dev == there.st_dev
            && own.st_ino == there.st_ino
    }

    /// Does `body` while no other process does anything for which it is alone here.
    func alone(_ body: () throws -> Void) throws {
        // Of a descriptor of its own, with which the lock ends.
        let lock = unsafe openat(descriptor, ".", Self.flags)
        guard lock >= 0 else { throw PrivateFile.failure("keys \(path)", errno) }
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 {
            guard errno == EINTR else { throw PrivateFile.failure("keys \(path)", errno) }
        }
        try body()
    }
}

// What lies in it.
extension KeyPlace {
    /// Names in it, in order.
    func names() throws(ClusterError) -> [String] {
        guard let names = PrivateDirectory.names(in: descriptor) else {
            throw PrivateFile.failure("directory \(path)", errno)
        }
        return names
    }

    func contains(_ name: String) -> Bool {
        var status = stat()
        return unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// When something last came to a directory in it or left it; zero where there is none.
    func lastChange(of name: String) -> Duration {
        var status = stat()
        guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return .zero }
        return .seconds(status.st_mtim.tv_sec) + .nanoseconds(status.st_mtim.tv_nsec)
    }

    /// A directory within, of this user's too; nil where there is none.
    func directory(_ name: String) throws(ClusterError) -> KeyPlace? {
        var status = stat()
        if unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) != 0, errno == ENOENT { return nil }
        let directory = try KeyPlace("\(path)/\(name)", at: descriptor, name)
        try directory.check()
        return directory
    }

    /// A directory within that must be there.
    func requiredDirectory(_ name: String) throws(ClusterError) -> KeyPlace {
        guard let directory = try directory(name) else {
            throw PrivateFile.failure("directory \(path)/\(name)", ENOENT)
        }
        return directory
    }

    func read(_ name: String, isSecret: Bool) throws(ClusterError) -> String {
        try PrivateFile.read("\(path)/\(name)", isSecret: isSecret, at: descriptor, name)
    }
}

// What changes it.
extension KeyPlace {
    /// Makes a directory of mode 0700 at a path.
    ///
    /// - Returns: false where there was something, of whatever kind.
    static func makeDirectory(_ path: String) throws(ClusterError) -> Bool {
        guard unsafe mkdir(path, 0o700) != 0 else { return true }
        guard errno == EEXIST else { throw PrivateFile.failure("directory \(path)", errno) }
        return false
    }

    /// Makes a directory within, of mode 0700.
    func makeDirectory(_ name: String) throws(ClusterError) -> KeyPlace {
        guard unsafe mkdirat(descriptor, name, 0o700) == 0 else {
            throw PrivateFile.failure("directory \(path)/\(name)", errno)
        }
        return try requiredDirectory(name)
    }

    /// Writes a file that was not there, of mode 0600, on the disk before anybody finds it under its name.
    func create(_ name: String, _ text: String) throws(ClusterError) {
        try PrivateFile.create("\(path)/\(name)", text, at: descriptor, name)
    }

    /// Gives a file or a directory in it another name or another place, where there is nothing.
    func move(_ name: String, to place: KeyPlace, as new: String? = nil) throws(ClusterError) {
        let new = new ?? name
        guard unsafe renameat(descriptor, name, place.descriptor, new) == 0 else {
            throw PrivateFile.failure("keys \(place.path)/\(new)", errno)
        }
    }

    /// Removes a file or a directory with all that is in it, or nothing; of a link the link.
    func remove(_ name: String) throws(ClusterError) {
        if unsafe unlinkat(descriptor, name, 0) == 0 || errno == ENOENT { return }
        // What it says of a directory differs from system to system.
        let within = try KeyPlace("\(path)/\(name)", at: descriptor, name)
        for name in try within.names() { try within.remove(name) }
        guard unsafe unlinkat(descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
            throw PrivateFile.failure("keys \(path)/\(name)", errno)
        }
    }

    /// Removes an empty directory at a path, or nothing.
    static func removeDirectory(_ path: String) { unsafe rmdir(path) }

    /// Returns when the names in it are on the disk.
    func synchronize() throws(ClusterError) {
        guard fsync(descriptor) == 0 else { throw PrivateFile.failure("directory \(path)", errno) }
    }

    /// Returns when its own name is on the disk.
    func synchronizeName() throws(ClusterError) {
        // What is above it may be anybody's.
        let above = unsafe openat(descriptor, "..", Self.flags)
        guard above >= 0 else { throw PrivateFile.failure("directory \(path)/..", errno) }
        defer { close(above) }
        guard fsync(above) == 0 else { throw PrivateFile.failure("directory \(path)/..", errno) }
    }
}
