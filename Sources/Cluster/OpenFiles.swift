internal import Foundation

enum OpenFiles {
    /// Lets this process have as many files and connections open as the system allows it.
    ///
    /// The usual 1024 are soon used up by peers that connect and say nothing, and then no checkpoint could be opened.
    static func raiseLimit() {
        guard var limit = current else { return }
        limit.rlim_cur = min(limit.rlim_max, 1 << 16)
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// How many this process may have open.
    static var limit: Int { current.map { Int(clamping: $0.rlim_cur) } ?? 1024 }

    private static var current: rlimit? {
        var limit = rlimit()
        return unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : nil
    }
}
