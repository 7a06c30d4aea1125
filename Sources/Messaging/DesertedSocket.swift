#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// The file of a local socket whose owner was killed.
enum DesertedSocket {
    /// Removes it, unless somebody listens there: another process may have made a socket of its own at the same path since.
    static func remove(_ path: String) {
        guard isDeserted(path) else { return }
        // Whoever binds between a look and an `unlink` would lose his socket. So it is set aside first, where nobody binds.
        let aside = "\(path).\(getpid())"
        guard aside.utf8.count <= Endpoint.longestPath, unsafe rename(path, aside) == 0 else { return }
        // It was another's after all: he gets his name back, unless somebody has taken that, too.
        if !isDeserted(aside) { _ = unsafe link(aside, path) }
        unsafe unlink(aside)
    }

    /// Whether a socket of this user's lies there on which nobody listens.
    private static func isDeserted(_ path: String) -> Bool {
        var status = stat()
        guard path.utf8.count <= Endpoint.longestPath, unsafe lstat(path, &status) == 0,
            status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == geteuid()
        else { return false }
        var address = sockaddr_un(path)
        let refusal = unsafe Endpoint.refusal(
            at: &address, size: MemoryLayout<sockaddr_un>.size, family: AF_UNIX, waits: false)
        return refusal == ECONNREFUSED
    }
}

extension sockaddr_un {
    /// - Precondition: the path is no longer than `Endpoint.longestPath`.
    init(_ path: String) {
        self.init()
        sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &sun_path) { place in
            for (index, byte) in path.utf8.enumerated() where index < place.count - 1 { unsafe place[index] = byte }
        }
    }
}
