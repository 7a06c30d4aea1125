internal import Randomness
internal import Synchronization

/// Throws away a share of the messages between a coordinator and its workers, in both directions: the protocol sends again what was
/// needed, or has it computed by another.
///
/// Which of them, the n-th for every n, follows from the seed; which message is the n-th is up to the network.
package final class MessageLoss: Sendable {
    private let rate: Double
    private let state: Mutex<(random: PhiloxStream, dropped: Int)>

    package init(rate: Double, seed: UInt64) {
        self.rate = rate
        state = Mutex((PhiloxStream(Philox(seed: seed, purpose: .chaos), 1, 0, 0), 0))
    }

    /// Whether the message at hand is lost.
    func takesOne() -> Bool {
        state.withLock { state in
            let isLost = Double(state.random.nextUniform()) < rate
            if isLost { state.dropped += 1 }
            return isLost
        }
    }

    package var dropped: Int { state.withLock { $0.dropped } }
}
