internal import Foundation

enum OpenFiles {
    /// Lets this process have as many files and connections open as the system allows it.
    ///
    /// The usual 1024 are soon used up by peers that connect and say nothing, and then no checkpoint could be opened.
    private static func raiseLimit() {
        guard var limit = current else { return }
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 1 << 16))
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// How many this process may have open.
    static var limit: Int { current.map { Int(clamping: $0.rlim_cur) } ?? 1024 }

    /// So many more may be open already the next time.
    private static let spare = 16

    /// Raises the limit, and sees that so many more files and connections can be opened.
    ///
    /// libzmq 4.3.4 ends the process, or waits for ever, where one cannot be that it opens on the way. None is opened to find out: for that
    /// moment there would be none left for the system's libraries, and libdispatch ends the process where it has none.
    static func requireRoom(for count: Int) throws(ClusterError) {
        raiseLimit()
        let limit = limit
        var found = 0
        for descriptor in 0..<Int32(clamping: limit) where found < count {
            if fcntl(descriptor, F_GETFD) < 0, errno == EBADF { found += 1 }
        }
        guard found < count else { return }
        let words = unsafe String(cString: strerror(EMFILE))
        throw ClusterError(
            "files and connections: \(found) more can be opened (\(words)); expected \(count), by a limit (ulimit -n) of \(limit - found + count + spare); it is \(limit)"
        )
    }

    private static var current: rlimit? {
        var limit = rlimit()
        return unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : nil
    }
}
