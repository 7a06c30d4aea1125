internal import Randomness
internal import Synchronization

/// Throws away a share of the messages between a coordinator and its workers, in both directions: the protocol sends again what was
/// needed, or has it computed by another.
///
/// Which of them, the n-th for every n, follows from the seed; which message is the n-th is up to the network.
package final class MessageLoss: Sendable {
    private let rate: Double
    private let state: Mutex<State>

    private struct State {
        var random: PhiloxStream
        /// Messages that were thrown away and that nobody was told of.
        var untold = 0
        /// Takes how many they are, and says whether it has.
        var tell: @Sendable (Int) -> Bool = { _ in false }
    }

    package init(rate: Double, seed: UInt64) {
        self.rate = rate
        state = Mutex(State(random: PhiloxStream(Philox(seed: seed, purpose: .chaos), 1, 0, 0)))
    }

    /// Has somebody told of each message that is thrown away, at once: this process may be killed at any moment.
    func report(to tell: @escaping @Sendable (Int) -> Bool) { state.withLock { $0.tell = tell } }

    /// Tells of those that nobody could be told of when they were thrown away, which the next would have been told with.
    func tellRest() {
        state.withLock { state in
            if state.untold > 0, state.tell(state.untold) { state.untold = 0 }
        }
    }

    /// Whether the message at hand is lost.
    package func takesOne() -> Bool {
        state.withLock { state in
            let isLost = Double(state.random.nextUniform()) < rate
            if isLost {
                state.untold += 1
                if state.tell(state.untold) { state.untold = 0 }
            }
            return isLost
        }
    }
}
