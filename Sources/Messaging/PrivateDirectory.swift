#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A directory for `ipc` sockets that only this user can enter; it goes away, with what is in it, when its owner lets go.
///
/// An owner that is killed cannot let go: `sweep()` removes what it left. A file in the directory, locked for as long as its owner
/// lives, tells the two apart.
package struct PrivateDirectory: ~Copyable {
    package let path: String
    private let lock: Int32

    private static let prefix = "lockstep-"
    private static let lockName = "owner"
    private static let socketsName = "sockets"

    /// Makes a directory of mode 0700 with a random name.
    ///
    /// - Parameter parent: `nil` for `TMPDIR`, or `/tmp` where that is so long that no socket would fit below it.
    package init(under parent: String? = nil) throws(MessagingError) {
        let parent = parent ?? Self.temporaryDirectory
        while true {
            var template = Array("\(parent)/\(Self.prefix)XXXXXX".utf8CString)
            guard unsafe mkdtemp(&template) != nil else {
                throw MessagingError(.directory, "\(parent)/\(Self.prefix)XXXXXX", code: errno)
            }
            let path = unsafe template.withUnsafeBufferPointer { unsafe String(cString: $0.baseAddress!) }
            try Self.check(path)
            let lock = unsafe open(
                "\(path)/\(Self.lockName)", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard lock >= 0 else { throw MessagingError(.directory, path, code: errno) }
            if Self.owns(lock) {
                self.path = path
                self.lock = lock
                return
            }
            // Somebody who sweeps took it for left behind before it was locked: it is gone, or will be.
            close(lock)
        }
    }

    deinit {
        Self.remove(path)
        close(lock)
    }

    /// Locks the file unless another process has; false also when it is no longer in its directory.
    private static func owns(_ lock: Int32) -> Bool {
        var status = stat()
        return unsafe flock(lock, LOCK_EX | LOCK_NB) == 0 && fstat(lock, &status) == 0 && status.st_nlink > 0
    }

    private static func remove(_ path: String) {
        for name in names(in: path) where name != lockName { unsafe unlink("\(path)/\(name)") }
        // Last: without it nobody would know what the rest is.
        unsafe unlink("\(path)/\(lockName)")
        unsafe rmdir(path)
    }

    /// Removes what owners have left that were killed.
    ///
    /// - Returns: the directories that were removed.
    @discardableResult
    package static func sweep(under parent: String? = nil) -> [String] {
        // Traces are in `TMPDIR` however long it is.
        let parents = parent.map { [$0] } ?? [temporaryDirectory, namedDirectory ?? temporaryDirectory]
        return Set(parents).sorted().flatMap { sweep(in: $0) }
    }

    private static func sweep(in parent: String) -> [String] {
        names(in: parent).compactMap { name in
            let path = "\(parent)/\(name)"
            guard name.hasPrefix(prefix), (try? check(path)) != nil else { return nil }
            let lock = unsafe open("\(path)/\(lockName)", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            guard lock >= 0 else { return nil }
            defer { close(lock) }
            guard owns(lock) else { return nil }
            removeNoted(in: path)
            remove(path)
            return path
        }
    }

    /// Notes sockets that the owner makes elsewhere: whoever sweeps up after it removes them too, unless somebody listens there.
    package borrowing func note(_ sockets: [Endpoint]) throws(MessagingError) {
        let lines = sockets.compactMap { socket -> String? in
            guard case .ipc(let path) = socket.transport else { return nil }
            return "\(path.hasPrefix("/") ? path : "\(Self.workingDirectory)/\(path)")\n"
        }
        let place = "\(path)/\(Self.socketsName)"
        let file = unsafe open(place, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw MessagingError(.directory, place, code: errno) }
        defer { close(file) }
        let bytes = Array(lines.joined().utf8)
        guard unsafe bytes.withUnsafeBytes({ unsafe write(file, $0.baseAddress, $0.count) }) == bytes.count else {
            throw MessagingError(.directory, place, code: errno)
        }
    }

    private static func removeNoted(in path: String) {
        let file = unsafe open("\(path)/\(socketsName)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return }
        defer { close(file) }
        // Two paths are noted at most.
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
        for line in bytes.prefix(max(0, count)).split(separator: UInt8(ascii: "\n")) {
            DesertedSocket.remove(String(decoding: line, as: UTF8.self))
        }
    }

    private static var workingDirectory: String {
        guard let path = unsafe getcwd(nil, 0) else { return "." }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    private static func names(in path: String) -> [String] {
        let directory = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return [] }
        defer { close(directory) }
        return names(in: directory) ?? []
    }

    /// Names in an open directory, in order; nil, with `errno`, where it cannot be read to its end.
    package static func names(in directory: Int32) -> [String]? {
        // Another descriptor, with a place of its own in the list.
        let own = unsafe openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard own >= 0 else { return nil }
        guard let listing = unsafe fdopendir(own) else {
            let number = errno
            close(own)
            errno = number
            return nil
        }
        var names: [String] = []
        errno = 0
        while let entry = unsafe readdir(listing) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        let number = errno
        unsafe closedir(listing)
        errno = number
        return number == 0 ? names.sorted() : nil
    }

    /// The endpoint of a socket in here.
    package borrowing func endpoint(_ name: String) throws(MessagingError) -> Endpoint {
        precondition(!name.isEmpty && !name.contains("/"), "PrivateDirectory.endpoint: \"\(name)\"; wanted a file name")
        return try Endpoint("ipc://\(path)/\(name)")
    }

    /// Refuses a path that is not a directory of this user's which nobody else can enter.
    ///
    /// - Parameter descriptor: the directory, where it is open: what lies at the path may be another by now.
    package static func check(_ path: String, _ descriptor: Int32? = nil) throws(MessagingError) {
        func refuse(_ reason: String, code: Int32) -> MessagingError {
            MessagingError(code: code, operation: .directory, message: "directory \(path): \(reason)")
        }
        var status = stat()
        let result = unsafe descriptor.map { unsafe fstat($0, &status) } ?? lstat(path, &status)
        guard result == 0 else { throw MessagingError(.directory, path, code: errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw refuse("not a directory; wanted one of mode 0700", code: ENOTDIR)
        }
        guard status.st_uid == geteuid() else {
            throw refuse("belongs to user \(status.st_uid); wanted user \(geteuid())", code: EPERM)
        }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o777, radix: 8)
            throw refuse("others can enter it (mode 0\(mode)); wanted mode 0700", code: EACCES)
        }
    }

    /// The longest name that a socket of ours is given.
    private static let longestName = 16

    /// `TMPDIR`; nil where it names nothing.
    private static var namedDirectory: String? {
        guard let named = unsafe getenv("TMPDIR") else { return nil }
        var path = unsafe String(cString: named)
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path.isEmpty ? nil : path
    }

    private static var temporaryDirectory: String {
        guard let path = namedDirectory else { return "/tmp" }
        let needed = path.utf8.count + "/lockstep-XXXXXX/".utf8.count + longestName
        return needed > Endpoint.longestPath ? "/tmp" : path
    }
}
