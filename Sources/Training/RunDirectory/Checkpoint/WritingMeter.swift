internal import Synchronization

/// How far a checkpoint is that is being written, and whether anybody still wants it.
package final class WritingMeter: Sendable {
    private struct State {
        var written = 0
        var isGivenUp = false
    }

    /// Bytes of all its files.
    let total: Int
    private let state = Mutex(State())
    private let clock = ContinuousClock()
    private let begun: ContinuousClock.Instant

    init(total: Int) {
        self.total = total
        begun = clock.now
    }

    var written: Int { state.withLock { $0.written } }
    var age: Duration { clock.now - begun }
    var isGivenUp: Bool { state.withLock { $0.isGivenUp } }

    /// What is not there yet need not come.
    func giveUp() { state.withLock { $0.isGivenUp = true } }

    /// - Throws: when the rest is not wanted any more.
    func wrote(_ count: Int) throws(RunError) {
        state.withLock { $0.written += count }
        try check()
    }

    func check() throws(RunError) {
        if isGivenUp { throw RunError(.file, "a checkpoint was given up while it was written") }
    }
}
