internal import Foundation
internal import Synchronization

/// Whether somebody asked this process to stop: SIGINT (Ctrl-C), SIGTERM, or SIGHUP (the terminal is gone).
///
/// The first one lets the step at hand finish; a second one ends the process at once.
package enum StopSignal {
    private static let number = Atomic<Int32>(0)

    /// Listens from now on.
    package static func listen() {
        for signalNumber in [SIGINT, SIGTERM, SIGHUP] {
            // A handler may only touch lock-free atomics and call functions that POSIX lists as safe in signals.
            _ = signal(signalNumber) { received in
                let (isFirst, _) = StopSignal.number.compareExchange(
                    expected: 0, desired: received, ordering: .relaxed)
                if !isFirst { _exit(128 + received) }
            }
        }
    }

    /// The signal that came; nil while none has.
    package static var received: Int32? {
        let number = number.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    /// What the process ends with after it was stopped, by the shell's convention.
    package static var exitCode: Int32? { received.map { 128 + $0 } }
}
