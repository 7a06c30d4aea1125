#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A directory for `ipc` sockets that only this user can enter; it goes away, with what is in it, when its owner lets go.
package struct PrivateDirectory: ~Copyable {
    package let path: String

    /// Makes a directory of mode 0700 with a random name.
    ///
    /// - Parameter parent: `nil` for `TMPDIR`, or `/tmp` where that is so long that no socket would fit below it.
    package init(under parent: String? = nil) throws(MessagingError) {
        let parent = parent ?? Self.temporaryDirectory
        var template = Array("\(parent)/lockstep-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw MessagingError(.directory, "\(parent)/lockstep-XXXXXX", code: errno)
        }
        let path = unsafe template.withUnsafeBufferPointer { unsafe String(cString: $0.baseAddress!) }
        try Self.check(path)
        self.path = path
    }

    deinit {
        if let listing = unsafe opendir(path) {
            while let entry = unsafe readdir(listing) {
                let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unsafe unlink("\(path)/\(name)") }
            }
            unsafe closedir(listing)
        }
        unsafe rmdir(path)
    }

    /// The endpoint of a socket in here.
    package borrowing func endpoint(_ name: String) throws(MessagingError) -> Endpoint {
        precondition(!name.isEmpty && !name.contains("/"), "PrivateDirectory.endpoint: \"\(name)\"; wanted a file name")
        return try Endpoint("ipc://\(path)/\(name)")
    }

    /// Refuses a path that is not a directory of this user's which nobody else can enter.
    package static func check(_ path: String) throws(MessagingError) {
        func refuse(_ reason: String, code: Int32) -> MessagingError {
            MessagingError(code: code, operation: .directory, message: "directory \(path): \(reason)")
        }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { throw MessagingError(.directory, path, code: errno) }
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

    private static var temporaryDirectory: String {
        guard let named = unsafe getenv("TMPDIR") else { return "/tmp" }
        var path = unsafe String(cString: named)
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        let needed = path.utf8.count + "/lockstep-XXXXXX/".utf8.count + longestName
        return path.isEmpty || needed > Endpoint.longestPath ? "/tmp" : path
    }
}
