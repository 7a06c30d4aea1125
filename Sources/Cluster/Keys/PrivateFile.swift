internal import Foundation
internal import Messaging

/// Files of keys: small, and of nobody else.
enum PrivateFile {
    private static let longest = 4096

    /// Reads a file whole.
    ///
    /// - Parameters:
    ///   - isSecret: whether nobody but this user may have any right to it.
    ///   - directory: an open directory, in which it is found as `name`, whatever lies at the path.
    static func read(
        _ path: String, isSecret: Bool, at directory: Int32, _ name: String
    ) throws(ClusterError) -> String {
        func refuse(_ reason: String) -> ClusterError { ClusterError(exitCode: 2, "key file \(path): \(reason)") }
        // Not a link that somebody else may have laid, and no waiting for a pipe's other end.
        let descriptor = unsafe openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw refuse(unsafe String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw refuse(unsafe String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw refuse("not a file; wanted one that lockstep keys made") }
        if isSecret {
            guard status.st_uid == geteuid() else {
                throw refuse("belongs to user \(status.st_uid); wanted user \(geteuid())")
            }
            guard status.st_mode & 0o077 == 0 else {
                let mode = String(status.st_mode & 0o777, radix: 8)
                throw refuse("others can reach this secret (mode 0\(mode)); wanted mode 0600")
            }
        }
        guard status.st_size <= longest else { throw refuse("\(status.st_size) bytes; wanted at most \(longest)") }
        var bytes = [UInt8](repeating: 0, count: longest)
        let count = unsafe Foundation.read(descriptor, &bytes, longest)
        guard count >= 0 else { throw refuse(unsafe String(cString: strerror(errno))) }
        guard let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
            throw refuse("not a text; wanted one that lockstep keys made")
        }
        return text
    }

    /// Writes a file that was not there, of mode 0600, on the disk before anybody finds it under its name.
    ///
    /// - Parameter directory: an open directory, in which it is made as `name`, whatever lies at the path.
    static func create(_ path: String, _ text: String, at directory: Int32, _ name: String) throws(ClusterError) {
        func refuse() -> ClusterError { failure("key file \(path)", errno) }
        let draft = "\(name).new"
        unsafe unlinkat(directory, draft, 0)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let descriptor = unsafe openat(directory, draft, flags, 0o600)
        guard descriptor >= 0 else { throw refuse() }
        defer { unsafe unlinkat(directory, draft, 0) }
        do {
            defer { close(descriptor) }
            let number = writeWhole(Array(text.utf8), to: descriptor)
            guard number == 0 else { throw failure("key file \(path)", number) }
            guard fsync(descriptor) == 0 else { throw refuse() }
        }
        guard unsafe linkat(directory, draft, directory, name, 0) == 0 else { throw refuse() }
    }

    /// The system's refusal: what the user named is at fault, or the disk is full or broken.
    static func failure(_ what: String, _ number: Int32) -> ClusterError {
        let isSystems = [ENOSPC, EDQUOT, EFBIG, EIO, EMFILE, ENFILE, ENOMEM].contains(number)
        return ClusterError(exitCode: isSystems ? 1 : 2, "\(what): \(unsafe String(cString: strerror(number)))")
    }

    /// Refuses a directory that others can enter.
    static func checkDirectory(_ path: String) throws(ClusterError) {
        do { try PrivateDirectory.check(path) } catch {
            let expected = error.code == ENOENT ? "; expected one of mode 0700, of this user" : ""
            throw ClusterError(exitCode: 2, "\(error)\(expected)")
        }
    }
}
