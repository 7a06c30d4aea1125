internal import TensorCore

/// The rate times `gamma` every `stepSize` steps, as PyTorch's `StepLR`.
public final class StepLR: LRScheduler {
    private let stepSize: Int
    private let gamma: Double

    /// - Parameters:
    ///   - stepSize: steps between two changes.
    ///   - gamma: the factor of each change.
    public init(_ optimizer: any Optimizer, stepSize: Int, gamma: Double = 0.1) {
        require(stepSize >= 1, "StepLR: a step size of \(stepSize); expected at least 1")
        self.stepSize = stepSize
        self.gamma = gamma
        super.init(optimizer)
    }

    override func rates() -> [Double] {
        let falls = lastEpoch != 0 && lastEpoch % stepSize == 0
        return falls ? optimizer.rates.map { $0 * gamma } : optimizer.rates
    }

    override func closedForm() -> [Double]? { baseRates.map { $0 * power(gamma, lastEpoch / stepSize) } }
}

/// The rate times `gamma` every step, as PyTorch's `ExponentialLR`.
public final class ExponentialLR: LRScheduler {
    private let gamma: Double

    /// - Parameter gamma: the factor of each step.
    public init(_ optimizer: any Optimizer, gamma: Double) {
        self.gamma = gamma
        super.init(optimizer)
    }

    override func rates() -> [Double] { isInitial ? optimizer.rates : optimizer.rates.map { $0 * gamma } }

    override func closedForm() -> [Double]? { baseRates.map { $0 * power(gamma, lastEpoch) } }
}
