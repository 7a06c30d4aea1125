internal import Foundation
internal import Training

/// A further process of this program that writes where this one does, and whose standard input is a link to this one.
struct SupervisedProcess {
    /// How a process ended.
    enum Ending: Equatable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    let identifier: pid_t
    let link: SupervisionLink
    /// Whether it stands still by SIGSTOP or the like.
    private(set) var isStopped = false

    /// - Throws: `ClusterError` when the system gives no process.
    static func start(_ arguments: [String]) throws(ClusterError) -> SupervisedProcess {
        var ends: [Int32] = [0, 0]
        guard
            unsafe ends.withUnsafeMutableBufferPointer({
                unsafe socketpair(AF_UNIX, SupervisionLink.stream, 0, $0.baseAddress!)
            }) == 0
        else { throw failure(errno) }
        defer { close(ends[1]) }
        // The other end must be nobody else's: that it closes is how the child hears of this process's death.
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        var identifier: pid_t = 0
        let number = spawn(arguments, input: ends[1], &identifier)
        guard number == 0 else {
            close(ends[0])
            throw failure(number)
        }
        return SupervisedProcess(identifier, SupervisionLink(descriptor: ends[0]))
    }

    private init(_ identifier: pid_t, _ link: SupervisionLink) { (self.identifier, self.link) = (identifier, link) }

    private static func failure(_ number: Int32) -> ClusterError {
        ClusterError("the coordinator could not be started: \(unsafe String(cString: strerror(number)))")
    }

    private static func spawn(_ arguments: [String], input: Int32, _ identifier: inout pid_t) -> Int32 {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
        #else
            var actions = unsafe posix_spawn_file_actions_t()
        #endif
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        var words: [UnsafeMutablePointer<CChar>?] = unsafe (CommandLine.arguments.prefix(1) + arguments).map {
            unsafe strdup($0)
        }
        unsafe words.append(nil)
        defer { for index in unsafe words.indices { unsafe free(words[index]) } }
        return unsafe posix_spawn(&identifier, OwnProgram.path, &actions, nil, words, environ)
    }

    /// How it ended; nil while it has not.
    mutating func ending() -> Ending? {
        var status: Int32 = 0
        while unsafe waitpid(identifier, &status, WNOHANG | WUNTRACED | WCONTINUED) == identifier {
            // The macros of <sys/wait.h>, which Swift does not import.
            if status == Self.continued {
                isStopped = false
            } else if status & 0xFF == 0x7F {
                isStopped = true
            } else {
                let signal = status & 0x7F
                return signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
            }
        }
        return nil
    }

    /// What is said of a process that goes on.
    #if canImport(Darwin)
        private static let continued: Int32 = 0x137F
    #else
        private static let continued: Int32 = 0xFFFF
    #endif
}

/// The program that is running.
enum OwnProgram {
    /// What to start for a further process of it.
    static var path: String {
        guard let program = RunningProgram(of: getpid()) else { return CommandLine.arguments[0] }
        // Built anew while it runs: the old program is still there under the link, and has the bits that were begun with.
        return program.isReplaced ? RunningProgram.link(of: getpid()) : program.path
    }
}
