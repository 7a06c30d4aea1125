internal import TensorCore

/// Up from `maxLR / divFactor` to `maxLR`, then far down, over `totalSteps` (Smith and Topin, 2019), as PyTorch's `OneCycleLR`.
///
/// Momentum, or Adam's β₁, goes the other way: from `maxMomentum` to `baseMomentum` and back.
public final class OneCycleLR: LRScheduler {
    /// The way from one value to another.
    public enum AnnealStrategy: String, Sendable, CaseIterable {
        /// Half a cosine.
        case cos
        /// A straight line.
        case linear
    }

    /// From one value to another until the step `end`.
    private struct Phase {
        let end: Double
        let rates: [(start: Double, end: Double)]
        let momenta: [(start: Double, end: Double)]
    }

    private let phases: [Phase]
    private let totalSteps: Int
    private let strategy: AnnealStrategy
    /// What is cycled; nil for nothing.
    private let momentum: Hyperparameter?

    /// One peak for all groups.
    public convenience init(
        _ optimizer: any Optimizer, maxLR: Double, totalSteps: Int, pctStart: Double = 0.3,
        annealStrategy: AnnealStrategy = .cos, cycleMomentum: Bool = true, baseMomentum: Double = 0.85,
        maxMomentum: Double = 0.95, divFactor: Double = 25, finalDivFactor: Double = 1e4, threePhase: Bool = false
    ) {
        func each(_ value: Double) -> [Double] { optimizer.parameterGroups.map { _ in value } }
        self.init(
            optimizer, maxLR: each(maxLR), totalSteps: totalSteps, pctStart: pctStart, annealStrategy: annealStrategy,
            cycleMomentum: cycleMomentum, baseMomentum: each(baseMomentum), maxMomentum: each(maxMomentum),
            divFactor: divFactor, finalDivFactor: finalDivFactor, threePhase: threePhase)
    }

    /// One peak a group.
    ///
    /// - Parameters:
    ///   - pctStart: the part of the steps in which the rate rises, 0...1.
    ///   - cycleMomentum: needs an optimiser with momentum or betas.
    ///   - finalDivFactor: how many times smaller than the first rate the last one is.
    ///   - threePhase: falls as fast as it rose, back to the first rate, then far down in the steps that are left.
    public init(
        _ optimizer: any Optimizer, maxLR: [Double], totalSteps: Int, pctStart: Double = 0.3,
        annealStrategy: AnnealStrategy = .cos, cycleMomentum: Bool = true, baseMomentum: [Double],
        maxMomentum: [Double],
        divFactor: Double = 25, finalDivFactor: Double = 1e4, threePhase: Bool = false
    ) {
        let groups = optimizer.parameterGroups
        require(totalSteps >= 1, "OneCycleLR: \(totalSteps) steps; expected at least 1")
        require(pctStart >= 0 && pctStart <= 1, "OneCycleLR: pctStart \(pctStart); expected a number from 0 to 1")
        require(
            [maxLR, baseMomentum, maxMomentum].allSatisfy { $0.count == groups.count },
            "OneCycleLR: \(maxLR.count) rates and \(baseMomentum.count) and \(maxMomentum.count) momenta"
                + " for \(groups.count) groups")
        momentum = cycleMomentum ? Self.momentum(of: groups) : nil
        let first = maxLR.map { $0 / divFactor }
        let last = first.map { $0 / finalDivFactor }
        let rise = pctStart * Double(totalSteps) - 1
        let up = Phase(end: rise, rates: Self.pairs(first, maxLR), momenta: Self.pairs(maxMomentum, baseMomentum))
        let end = Double(totalSteps - 1)
        phases =
            threePhase
            ? [
                up,
                Phase(
                    end: 2 * pctStart * Double(totalSteps) - 2, rates: Self.pairs(maxLR, first),
                    momenta: Self.pairs(baseMomentum, maxMomentum)),
                Phase(end: end, rates: Self.pairs(first, last), momenta: Self.pairs(maxMomentum, maxMomentum)),
            ]
            : [up, Phase(end: end, rates: Self.pairs(maxLR, last), momenta: Self.pairs(baseMomentum, maxMomentum))]
        self.totalSteps = totalSteps
        strategy = annealStrategy
        for index in groups.indices { optimizer.parameterGroups[index].initialLearningRate = first[index] }
        super.init(optimizer)
    }

    override func rates() -> [Double] {
        require(lastEpoch <= totalSteps, "OneCycleLR: step \(lastEpoch) of a cycle of \(totalSteps)")
        let step = Double(lastEpoch)
        let index = phases.firstIndex { step <= $0.end } ?? phases.count - 1
        let (phase, start) = (phases[index], index == 0 ? 0 : phases[index - 1].end)
        require(
            phase.end != start,
            "OneCycleLR: a phase from step \(start) to \(phase.end) has no steps; expected another pctStart")
        let progress = (step - start) / (phase.end - start)
        if let momentum {
            for (group, pair) in phase.momenta.enumerated() {
                optimizer.parameterGroups[group][momentum] = anneal(pair, progress)
            }
        }
        return phase.rates.map { anneal($0, progress) }
    }

    private func anneal(_ pair: (start: Double, end: Double), _ progress: Double) -> Double {
        switch strategy {
        case .cos: pair.end + (pair.start - pair.end) / 2 * (Elementary.cosineOfPi(times: progress) + 1)
        case .linear: (pair.end - pair.start) * progress + pair.start
        }
    }

    private static func pairs(_ start: [Double], _ end: [Double]) -> [(start: Double, end: Double)] {
        zip(start, end).map { ($0, $1) }
    }

    private static func momentum(of groups: [ParameterGroup]) -> Hyperparameter {
        let name: Hyperparameter = groups.allSatisfy { $0.values[.beta1] != nil } ? .beta1 : .momentum
        require(
            groups.allSatisfy { $0.values[name] != nil },
            "OneCycleLR: the optimiser has neither momentum nor betas; expected cycleMomentum: false")
        return name
    }
}
