internal import TensorCore

/// The learning rate of each step, as a factor of the configured one.
public struct LearningRateSchedule: Sendable, Equatable, Codable {
    /// How the rate goes on after the warm-up.
    public enum Shape: String, Sendable, Codable, CaseIterable {
        /// The same rate throughout.
        case constant
        /// Half a cosine from the configured rate to `minimum` over the whole run (Loshchilov and Hutter, 2017).
        case cosine
        /// A straight line from the configured rate to `minimum` over the whole run.
        case linear
    }

    /// How the rate goes on after the warm-up.
    public var shape: Shape
    /// Steps of a straight rise from 0 that come first.
    public var warmup: UInt64
    /// The last factor of a falling shape.
    public var minimum: Double

    /// `warmup` steps of a rise, then `shape`, down to the factor `minimum`.
    public init(shape: Shape, warmup: UInt64 = 0, minimum: Double = 0) {
        self.shape = shape
        self.warmup = warmup
        self.minimum = minimum
    }

    /// The factor at `step`, counted from 0, of a run of `steps`.
    public func factor(step: UInt64, of steps: UInt64) -> Double {
        if step < warmup { return Double(step + 1) / Double(warmup + 1) }
        let falling = max(steps, warmup + 1) - warmup
        let progress = min(1, Double(step - warmup) / Double(falling))
        switch shape {
        case .constant: return 1
        case .cosine: return minimum + (1 - minimum) * 0.5 * (1 + Elementary.cosineOfPi(times: progress))
        case .linear: return minimum + (1 - minimum) * (1 - progress)
        }
    }
}
