internal import TensorCore

/// The rate's factor on a straight line from `startFactor` to `endFactor` over `totalIters` steps, as PyTorch's `LinearLR`: a warm-up.
public final class LinearLR: LRScheduler {
    private let startFactor: Double
    private let endFactor: Double
    private let totalIters: Int

    /// - Parameters:
    ///   - startFactor: of the first step, above 0 and at most 1.
    ///   - endFactor: from step `totalIters` on, 0...1.
    ///   - totalIters: steps from the one to the other.
    public init(
        _ optimizer: any Optimizer, startFactor: Double = 1.0 / 3, endFactor: Double = 1, totalIters: Int = 5
    ) {
        require(
            startFactor > 0 && startFactor <= 1,
            "LinearLR: a start factor of \(startFactor); expected a number above 0 and at most 1")
        require(
            endFactor >= 0 && endFactor <= 1, "LinearLR: an end factor of \(endFactor); expected a number from 0 to 1")
        require(totalIters >= 0, "LinearLR: \(totalIters) steps; expected 0 or more")
        self.startFactor = startFactor
        self.endFactor = endFactor
        self.totalIters = totalIters
        super.init(optimizer)
    }

    override func rates() -> [Double] {
        if lastEpoch == 0 { return optimizer.rates.map { $0 * startFactor } }
        if isInitial || lastEpoch > totalIters { return optimizer.rates }
        let rise = endFactor - startFactor
        let before = Double(totalIters) * startFactor + Double(lastEpoch - 1) * rise
        return optimizer.rates.map { $0 * (1 + rise / before) }
    }

    override func closedForm() -> [Double]? {
        let progress = totalIters == 0 ? 1 : Double(min(totalIters, lastEpoch)) / Double(totalIters)
        return baseRates.map { $0 * (startFactor + (endFactor - startFactor) * progress) }
    }
}
