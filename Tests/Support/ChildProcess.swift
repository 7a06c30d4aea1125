import Foundation
import Synchronization

/// A process that was started by this one, in a group of its own. It has no file of this one's but those that do not close when a
/// program begins.
///
/// Foundation's `Process` will not do where connections are opened by the thousand: to close what the child is not to have it lists the
/// open files, and copies each entry of the list as if it were of full length, which reads past the end of the last one's buffer.
package final class ChildProcess: Sendable {
    package let identifier: Int32
    private let ended = NSCondition()
    private let status = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - environment: all of it.
    ///   - output: the file that it prints to; it reads nothing.
    ///   - errors: the file for its standard error; nil for this process's own.
    package init(
        _ executable: String, _ arguments: [String], environment: [String: String], output: String, errors: String?
    ) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
        if let errors { unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT, 0o600) }
        // The threads that tests run on have most signals blocked.
        var (none, all) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

        let words = unsafe ([executable] + arguments).map { unsafe strdup($0) } + [nil]
        let settings = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        defer { unsafe (words + settings).forEach { unsafe free($0) } }
        var identifier: pid_t = 0
        let code = unsafe posix_spawn(&identifier, executable, &actions, &attributes, words, settings)
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EINVAL) }
        self.identifier = identifier
        Thread.detachNewThread { [self] in reap() }
    }

    private func reap() {
        var found: Int32 = 0
        while unsafe waitpid(identifier, &found, 0) < 0, errno == EINTR {}
        let signal = found & 0x7F
        ended.lock()
        status.withLock { [found] in $0 = signal == 0 ? found >> 8 & 0xFF : signal }
        ended.broadcast()
        ended.unlock()
    }

    package var isRunning: Bool { status.withLock { $0 == nil } }

    /// Waits for the end.
    ///
    /// - Returns: the exit code, or the signal that ended it.
    @discardableResult
    package func wait() -> Int32 {
        ended.lock()
        defer { ended.unlock() }
        while true {
            if let status = status.withLock({ $0 }) { return status }
            ended.wait()
        }
    }
}
