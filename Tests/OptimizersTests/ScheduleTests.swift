import Optimizers
import TensorCore
import Testing

@Suite struct `A schedule` {
    private func optimizer(_ rates: Double...) -> SGD {
        SGD(rates.map { ParameterGroup([Parameter([0], shape: [1])], learningRate: $0) })
    }

    /// The rates of the first group, from the schedule's making on.
    private func follow(_ schedule: LRScheduler, steps: Int) -> [Double] {
        (0..<steps).map { step in
            if step > 0 { schedule.step() }
            return schedule.optimizer.learningRate
        }
    }

    @Test func `StepLR falls every few steps`() {
        expect(follow(StepLR(optimizer(1), stepSize: 2, gamma: 0.5), steps: 6), [1, 1, 0.5, 0.5, 0.25, 0.25])
    }

    @Test func `ExponentialLR falls every step`() {
        expect(follow(ExponentialLR(optimizer(2), gamma: 0.5), steps: 4), [2, 1, 0.5, 0.25])
    }

    @Test func `LinearLR rises and stays`() {
        expect(follow(LinearLR(optimizer(1), startFactor: 0.25, totalIters: 3), steps: 6), [0.25, 0.5, 0.75, 1, 1, 1])
    }

    @Test func `CosineAnnealingLR comes down to its floor, and up again`() {
        let rates = follow(CosineAnnealingLR(optimizer(1), tMax: 4, etaMin: 0.5), steps: 17)
        // 0.75 + 0.25 · cos(π · step/4)
        let half = 0.25 * 0.5.squareRoot()
        let period = [1, 0.75 + half, 0.75, 0.75 - half, 0.5, 0.75 - half, 0.75, 0.75 + half]
        expect(rates, period + period + [1])
    }

    @Test func `OneCycleLR moves momentum against the rate, or beta1`() {
        let adam = Adam([Parameter([0], shape: [1])], betas: (0.7, 0.99))
        let cycle = OneCycleLR(adam, maxLR: 1, totalSteps: 10)
        var seen: [(rate: Double, beta: Double)] = []
        for _ in 0..<10 {
            seen.append((adam.learningRate, adam.parameterGroups[0].betas.0))
            if seen.count < 10 { cycle.step() }
        }
        // A rise over 3 − 1 steps from 1/25, a fall over 7 to 1/250 000.
        expect([seen[0].rate, seen[1].rate, seen[2].rate, seen[9].rate], [0.04, 0.52, 1, 4e-6])
        expect([seen[0].beta, seen[1].beta, seen[2].beta, seen[9].beta], [0.95, 0.9, 0.85, 0.95])
        #expect(adam.parameterGroups[0].betas.1 == 0.99)

        let sgd = optimizer(1)
        _ = OneCycleLR(sgd, maxLR: 1, totalSteps: 10, cycleMomentum: false)
        #expect(sgd.parameterGroups[0].momentum == 0)
    }

    @Test func `Adam with a beta1 that changes corrects by its power`() {
        // Reference: PyTorch 2.13 in double precision.
        let parameter = Parameter([1], shape: [1])
        let adam = Adam([parameter], learningRate: 0.1)
        let cycle = OneCycleLR(adam, maxLR: 1, totalSteps: 10)
        for step in 0..<9 {
            adam.zeroGradients()
            give([step % 3 == 0 ? -0.5 : 1], to: parameter)
            adam.step()
            cycle.step()
        }
        expect(parameter, [-1.476354962], within: 2e-6)
    }

    @Test func `ReduceLROnPlateau waits, falls and cools down`() {
        let optimizer = optimizer(1)
        let plateau = ReduceLROnPlateau(optimizer, factor: 0.5, patience: 1, cooldown: 2, minLR: 0.2)
        let rates = [5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4].map { metric in
            plateau.step(metric)
            return optimizer.learningRate
        }
        // Bad for the second time at the fourth metric; two steps do not count; two bad ones more; the floor last.
        expect(rates, [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2])
        #expect(plateau.best == 4)
    }

    @Test func `SequentialLR hands over at its milestones`() {
        let optimizer = optimizer(1)
        let rise = LinearLR(optimizer, startFactor: 0.5, totalIters: 2)
        let fall = ExponentialLR(optimizer, gamma: 0.5)
        expect(
            follow(SequentialLR(optimizer, schedules: [rise, fall], milestones: [2]), steps: 6),
            [0.5, 0.75, 1, 0.5, 0.25, 0.125])
    }

    @Test func `WarmupCosine rises, then falls`() {
        expect(
            follow(WarmupCosine(optimizer(1), warmupSteps: 2, startFactor: 0.5, tMax: 2), steps: 5),
            [0.5, 0.75, 1, 0.5, 0])
    }

    @Test func `drives each group from its own rate`() {
        let optimizer = optimizer(1, 3)
        let schedule = ExponentialLR(optimizer, gamma: 0.5)
        schedule.step()
        expect(optimizer.parameterGroups.map(\.learningRate), [0.5, 1.5])
        expect(schedule.lastLearningRates, [0.5, 1.5])
    }

    @Test func `works beside another one on the same optimiser`() {
        let optimizer = optimizer(1)
        let schedules = [ExponentialLR(optimizer, gamma: 0.5), StepLR(optimizer, stepSize: 2, gamma: 0.1)]
        for _ in 0..<2 {
            for schedule in schedules { schedule.step() }
        }
        expect([optimizer.learningRate], [0.025])
    }

    @Test func `of one optimiser is refused for another`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let (one, other) = (SGD([Parameter([0], shape: [1])]), SGD([Parameter([0], shape: [1])]))
            _ = SequentialLR(one, schedules: [ExponentialLR(other, gamma: 0.5)], milestones: [])
        }
        expect(result, says: "SequentialLR: schedule 0 was made for another optimiser")
    }

    @Test func `with arguments out of range is refused`() async {
        let rise = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = LinearLR(SGD([Parameter([0], shape: [1])]), startFactor: 0)
        }
        expect(rise, says: "LinearLR: a start factor of 0.0; expected a number above 0 and at most 1")
        let cycle = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let cycle = OneCycleLR(SGD([Parameter([0], shape: [1])]), maxLR: 1, totalSteps: 5)
            for _ in 0..<6 { cycle.step() }
        }
        expect(cycle, says: "OneCycleLR: step 6 of a cycle of 5")
        let momentum = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = OneCycleLR(Still(), maxLR: 1, totalSteps: 5)
        }
        expect(momentum, says: "the optimiser has neither momentum nor betas")
    }
}

/// An optimiser of somebody else's.
private final class Still: Optimizer {
    var parameterGroups = [ParameterGroup([], learningRate: 1)]
    func step() {}
}
