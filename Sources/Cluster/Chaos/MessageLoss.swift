internal import Synchronization

/// Throws away a share of the messages between a coordinator and its workers, in both directions: the protocol sends again what was
/// needed, or has it computed by another.
///
/// Which of them, the n-th for every n, follows from the seed; which message is the n-th is up to the network.
package final class MessageLoss: Sendable {
    private let rate: Double
    private let state: Mutex<(random: SplitMix, dropped: Int)>

    package init(rate: Double, seed: UInt64) {
        self.rate = rate
        state = Mutex((SplitMix(seed: seed), 0))
    }

    /// Whether the message at hand is lost.
    func takesOne() -> Bool {
        state.withLock { state in
            let isLost = Double.random(in: 0..<1, using: &state.random) < rate
            if isLost { state.dropped += 1 }
            return isLost
        }
    }

    package var dropped: Int { state.withLock { $0.dropped } }
}
