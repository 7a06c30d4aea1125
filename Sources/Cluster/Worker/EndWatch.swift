internal import Foundation

/// Ends a worker that was asked to stop, by a signal, and does not come to it.
///
/// Its main thread may be in a long computation, in a write to a terminal or pipe that nobody reads, or in a call of the system that
/// does not return; it takes leave by itself wherever it can. A worker holds nothing that would be lost.
enum EndWatch {
    /// Longer than taking leave of a coordinator and of libzmq may take.
    private static let patience = 5.0

    static func start() {
        Thread.detachNewThread {
            while StopSignal.exitCode == nil { Thread.sleep(forTimeInterval: 0.05) }
            Thread.sleep(forTimeInterval: patience)
            // Not exit: what it would wait for is what the main thread hangs in.
            _exit(StopSignal.exitCode ?? 1)
        }
    }
}
