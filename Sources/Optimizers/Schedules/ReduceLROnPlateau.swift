internal import TensorCore

/// The rate times `factor` once a metric has not got better for more than `patience` steps, as PyTorch's `ReduceLROnPlateau`.
public final class ReduceLROnPlateau {
    /// Which metrics are better.
    public enum Mode: String, Sendable, CaseIterable {
        /// Smaller ones.
        case min
        /// Larger ones.
        case max
    }
    /// Whether `threshold` is a part of the best metric or a difference from it.
    public enum ThresholdMode: String, Sendable, CaseIterable {
        /// A part of the best metric.
        case rel
        /// A difference from the best metric.
        case abs
    }

    /// Whose rates are set.
    public let optimizer: any Optimizer
    /// The best metric so far.
    public private(set) var best: Double
    private let mode: Mode
    private let factor: Double
    private let patience: Int
    private let threshold: Double
    private let thresholdMode: ThresholdMode
    private let cooldown: Int
    private let minLR: [Double]
    private let epsilon: Double
    private var badSteps = 0
    private var cooldownLeft = 0

    /// One lowest rate for all groups.
    public convenience init(
        _ optimizer: any Optimizer, mode: Mode = .min, factor: Double = 0.1, patience: Int = 10,
        threshold: Double = 1e-4,
        thresholdMode: ThresholdMode = .rel, cooldown: Int = 0, minLR: Double = 0, epsilon: Double = 1e-8
    ) {
        self.init(
            optimizer, mode: mode, factor: factor, patience: patience, threshold: threshold,
            thresholdMode: thresholdMode,
            cooldown: cooldown, minLR: optimizer.parameterGroups.map { _ in minLR }, epsilon: epsilon)
    }

    /// One lowest rate a group.
    ///
    /// - Parameters:
    ///   - threshold: what a metric must be better by to count as better.
    ///   - cooldown: steps after a reduction in which nothing counts as bad.
    ///   - epsilon: a smaller change of the rate is not made.
    public init(
        _ optimizer: any Optimizer, mode: Mode = .min, factor: Double = 0.1, patience: Int = 10,
        threshold: Double = 1e-4,
        thresholdMode: ThresholdMode = .rel, cooldown: Int = 0, minLR: [Double], epsilon: Double = 1e-8
    ) {
        require(factor < 1, "ReduceLROnPlateau: a factor of \(factor); expected less than 1")
        require(
            minLR.count == optimizer.parameterGroups.count,
            "ReduceLROnPlateau: \(minLR.count) lowest rates for \(optimizer.parameterGroups.count) groups")
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.thresholdMode = thresholdMode
        self.cooldown = cooldown
        self.minLR = minLR
        self.epsilon = epsilon
        best = mode == .min ? .infinity : -.infinity
    }

    /// Takes the metric of the step that is over, and sets the rates of the next.
    public func step(_ metric: Double) {
        if isBetter(metric) {
            best = metric
            badSteps = 0
        } else {
            badSteps += 1
        }
        if cooldownLeft > 0 {
            cooldownLeft -= 1
            badSteps = 0
        }
        if badSteps > patience {
            reduce()
            cooldownLeft = cooldown
            badSteps = 0
        }
    }

    private func reduce() {
        optimizer.rates = zip(optimizer.rates, minLR).map { rate, lowest in
            let reduced = max(rate * factor, lowest)
            return rate - reduced > epsilon ? reduced : rate
        }
    }

    private func isBetter(_ metric: Double) -> Bool {
        switch (mode, thresholdMode) {
        case (.min, .rel): metric < best * (1 - threshold)
        case (.min, .abs): metric < best - threshold
        case (.max, .rel): metric > best * (1 + threshold)
        case (.max, .abs): metric > best + threshold
        }
    }
}
