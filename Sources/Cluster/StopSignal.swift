internal import Foundation
internal import Synchronization

/// Whether somebody asked this process to stop: SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal is gone), or its supervisor.
///
/// The first request lets the step at hand finish; a second one ends the process at once.
package enum StopSignal {
    private static let number = Atomic<Int32>(0)
    private static let isRepeated = Atomic<Bool>(false)
    private static let endsWhenRepeated = Atomic<Bool>(true)
    /// When the first request came, in nanoseconds of a clock that only runs forward; 0 before it.
    private static let firstTime = Atomic<UInt64>(0)
    /// When the first signal came, on the same clock; 0 before it. A request that was none, as its supervisor's, does not count.
    private static let firstSignalTime = Atomic<UInt64>(0)

    /// One request may arrive as two signals: `timeout` tells its child and then the child's group, a script hands on what the
    /// terminal had already sent to everybody. Nobody's second Ctrl-C comes as soon after the first as that, but for one who holds the
    /// keys down, whose third or fourth does not.
    private static let oneRequest: UInt64 = 100_000_000

    /// Listens from now on.
    ///
    /// - Parameter endsWhenRepeated: whether a second request ends the process at once, or leaves that to whoever asks `isUrgent`.
    package static func listen(endsWhenRepeated: Bool = true) {
        self.endsWhenRepeated.store(endsWhenRepeated, ordering: .relaxed)
        // A process under `nohup` outlives its terminal.
        let ignored = unsafe unsafeBitCast(SIG_IGN, to: Int.self)
        let outlives = unsafe unsafeBitCast(signal(SIGHUP, SIG_IGN), to: Int.self) == ignored
        let numbers = outlives ? [SIGINT, SIGTERM] : [SIGINT, SIGTERM, SIGHUP]
        defer { receive(numbers) }
        for signalNumber in numbers {
            // A handler may only touch lock-free atomics and call functions that POSIX lists as safe in signals.
            _ = signal(signalNumber) { received in
                let now = StopSignal.now
                _ = StopSignal.firstTime.compareExchange(expected: 0, desired: now, ordering: .relaxed)
                let (isFirst, first) = StopSignal.firstSignalTime.compareExchange(
                    expected: 0, desired: now, ordering: .relaxed)
                _ = StopSignal.number.compareExchange(expected: 0, desired: received, ordering: .relaxed)
                if isFirst || now &- first < StopSignal.oneRequest { return }
                StopSignal.isRepeated.store(true, ordering: .relaxed)
                if StopSignal.endsWhenRepeated.load(ordering: .relaxed) { _exit(128 + received) }
            }
        }
    }

    /// Has a thread that takes these signals whoever started this process: a blocked one is inherited, and threads of a dispatch pool,
    /// from which other programs start theirs, block nearly all.
    private static func receive(_ numbers: [Int32]) {
        Thread.detachNewThread {
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            for number in numbers { unsafe sigaddset(&signals, number) }
            unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            while true { pause() }
        }
    }

    private static var now: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// How long ago this process was first asked to stop; nil while nobody has.
    package static var age: Duration? {
        let first = firstTime.load(ordering: .relaxed)
        return first == 0 ? nil : .nanoseconds(Int64(now - first))
    }

    /// Asks this process to stop as that signal would; says nothing new to one that was asked already.
    static func request(_ signalNumber: Int32) {
        _ = firstTime.compareExchange(expected: 0, desired: now, ordering: .relaxed)
        _ = number.compareExchange(expected: 0, desired: signalNumber, ordering: .relaxed)
    }

    /// The signal that came; nil while none has.
    package static var received: Int32? {
        let number = number.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    /// Whether it was asked for more than once.
    package static var isUrgent: Bool { isRepeated.load(ordering: .relaxed) }

    /// What the process ends with after it was stopped, by the shell's convention.
    package static var exitCode: Int32? { received.map { 128 + $0 } }
}
