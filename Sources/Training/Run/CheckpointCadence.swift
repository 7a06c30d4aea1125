/// When a checkpoint is due beside those that the run's settings ask for.
///
/// A holder of the run that was killed has taken the steps after its last checkpoint with it. Where the next one dies as soon, and the
/// one after that, the run would never come past that checkpoint. So one that finds steps lost saves when it has done half as many
/// again, then after as many, twice as many, and so on until the settings' own interval comes first: it keeps at least half of what it
/// does, whatever time it is given, and the more it is given the less it saves. How many were lost says how long the one before lived,
/// so nothing has to be remembered. Bits do not depend on when checkpoints are written.
struct CheckpointCadence {
    private let interval: UInt64
    /// Steps until the next one; nil once the settings' own come as soon.
    private var gap: UInt64?
    private var last: UInt64

    /// - Parameters:
    ///   - step: that the run goes on after.
    ///   - lost: steps after it that were done before and have to be done again.
    ///   - interval: of the run's settings.
    init(after step: UInt64, lost: UInt64, every interval: UInt64) {
        self.interval = interval
        last = step
        gap = lost > 0 && lost / 2 < interval ? max(1, lost / 2) : nil
    }

    /// Whether one is due after a step.
    func isDue(after step: UInt64) -> Bool { gap.map { step - last >= $0 } ?? false }

    /// Takes note of a checkpoint, whoever has asked for it.
    mutating func saved(_ step: UInt64) {
        guard step > last else { return }
        last = step
        gap = gap.flatMap { $0 <= interval / 2 ? $0 * 2 : nil }
    }
}
