internal import CProcesses
internal import Foundation

/// Sees to it that a process goes on when the one that started it is gone, though somebody has stopped it (SIGSTOP): it could not end.
///
/// Asked for is SIGCONT, which is nothing to a process that runs: the system sends it already when the thread of the parent ends that
/// started this one.
enum ParentsEnd {
    /// - Precondition: the calling thread lives as long as the process.
    static func continuesThisProcess() { cpr_signal_at_parents_end(SIGCONT) }
}

/// Ends a local worker with the process that started it, however that one ended.
///
/// The worker's standard input is a pipe whose other end is that process's alone; the system closes it.
enum ParentWatch {
    /// Begins. A worker holds nothing that would be lost, and may be in the middle of a long computation: it ends at once.
    static func start() {
        Thread.detachNewThread {
            ParentsEnd.continuesThisProcess()
            var byte: UInt8 = 0
            while true {
                let count = unsafe read(STDIN_FILENO, &byte, 1)
                if count == 0 || count < 0 && errno != EINTR { _exit(1) }
            }
        }
    }
}

/// The parent's end of that pipe.
final class ParentPipe: Sendable {
    let reading: Int32
    private let writing: Int32

    init() throws(ClusterError) {
        var ends: [Int32] = [0, 0]
        guard unsafe ends.withUnsafeMutableBufferPointer({ unsafe pipe($0.baseAddress!) }) == 0 else {
            throw ClusterError("no pipe to the workers could be made: \(unsafe String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(reading)
        close(writing)
    }
}
