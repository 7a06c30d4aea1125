internal import Foundation
internal import Messaging

/// A directory of keys that is held open and read through its descriptor.
///
/// Whoever owns a directory above it can put another in its place, but only under its name.
final class KeyPlace: Sendable {
    /// Its name when it was opened, for sentences.
    let path: String
    private let descriptor: Int32

    /// Opens a directory of this user's that nobody else can enter.
    convenience init(_ path: String) throws(ClusterError) {
        try PrivateFile.checkDirectory(path)
        let descriptor = unsafe open(path, Self.flags)
        guard descriptor >= 0 else { throw PrivateFile.failure("directory \(path)", errno) }
        self.init(path, descriptor)
        try check()
    }

    private init(_ path: String, _ descriptor: Int32) { (self.path, self.descriptor) = (path, descriptor) }

    deinit { close(descriptor) }

    private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    /// Refuses it when others can enter it by now.
    func check() throws(ClusterError) {
        do { try PrivateDirectory.check(path, descriptor) } catch { throw ClusterError(exitCode: 2, "\(error)") }
    }

    /// One within, which belongs to this user as well; nil where there is none.
    func directory(_ name: String) throws(ClusterError) -> KeyPlace? {
        let within = unsafe openat(descriptor, name, Self.flags)
        guard within >= 0 else {
            if errno == ENOENT { return nil }
            throw PrivateFile.failure("directory \(path)/\(name)", errno)
        }
        return KeyPlace("\(path)/\(name)", within)
    }

    /// Names in it, in order.
    func names() throws(ClusterError) -> [String] {
        // Another descriptor, with a place of its own in the list.
        let list = unsafe openat(descriptor, ".", Self.flags)
        guard list >= 0, let names = PrivateDirectory.names(closing: list) else {
            throw PrivateFile.failure("directory \(path)", errno)
        }
        return names.sorted()
    }

    func read(_ name: String, isSecret: Bool) throws(ClusterError) -> String {
        try PrivateFile.read("\(path)/\(name)", isSecret: isSecret, at: descriptor, name)
    }

    /// When something last came to a directory in it or left it; zero where there is none.
    func lastChange(of name: String) -> Duration {
        var status = stat()
        guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return .zero }
        return .seconds(status.st_mtim.tv_sec) + .nanoseconds(status.st_mtim.tv_nsec)
    }

    /// Whether it still lies where it was opened.
    var isInPlace: Bool {
        var (own, there) = (stat(), stat())
        return unsafe fstat(descriptor, &own) == 0 && lstat(path, &there) == 0 && own.st_dev == there.st_dev
            && own.st_ino == there.st_ino
    }
}
