/// Sets the learning rates of an optimiser's groups, as PyTorch's `LRScheduler`.
///
/// Making one sets the rates of the first step; `step()` after each `optimizer.step()` sets those of the next.
/// Most schedules find a rate from the one before, so that several can work on one optimiser.
public class LRScheduler {
    /// Whose rates are set.
    public let optimizer: any Optimizer
    /// Calls of `step()`, counted from the schedule's own beginning.
    public internal(set) var lastEpoch = -1
    /// The rates set last, one a group.
    public internal(set) var lastLearningRates: [Double] = []
    /// The rate that each group began with.
    let baseRates: [Double]
    /// The rates of epoch 0 are being set.
    private(set) var isInitial = false

    init(_ optimizer: any Optimizer) {
        self.optimizer = optimizer
        for index in optimizer.parameterGroups.indices where optimizer.parameterGroups[index].initialLearningRate == nil
        {
            optimizer.parameterGroups[index].initialLearningRate = optimizer.parameterGroups[index].learningRate
        }
        baseRates = optimizer.initialRates
        begin()
    }

    /// Sets the rates of the next step.
    public func step() {
        lastEpoch += 1
        apply(rates())
    }

    /// The rates at `lastEpoch`, from those that the groups have.
    func rates() -> [Double] { optimizer.rates }

    /// The rates at `lastEpoch`, from those that the groups began with; nil where there is no such form.
    func closedForm() -> [Double]? { nil }

    /// Sets the rates of epoch 0 after `lastEpoch` has become -1.
    func begin() {
        isInitial = true
        step()
        isInitial = false
    }

    /// Begins anew at epoch 0, whatever the rates have become.
    func restart() {
        lastEpoch = 0
        apply(closedForm() ?? rates())
    }

    private func apply(_ rates: [Double]) {
        optimizer.rates = rates
        lastLearningRates = rates
    }
}

extension Optimizer {
    var rates: [Double] {
        get { parameterGroups.map(\.learningRate) }
        set {
            for (index, rate) in newValue.enumerated() { parameterGroups[index].learningRate = rate }
        }
    }

    /// The rates before any schedule.
    var initialRates: [Double] { parameterGroups.map { $0.initialLearningRate ?? $0.learningRate } }
}

/// baseⁿ by multiplication: `pow` differs between C libraries.
func power(_ base: Double, _ exponent: Int) -> Double {
    (0..<max(0, exponent)).reduce(1.0) { result, _ in result * base }
}
