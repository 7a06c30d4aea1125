internal import TensorCore

/// One schedule after another, as PyTorch's `SequentialLR`: schedule i takes over at step `milestones[i - 1]` and begins at its own beginning.
///
/// The schedules must have been made for the same optimiser, in this order; what they did to its rates is undone.
public class SequentialLR: LRScheduler {
    private let schedules: [LRScheduler]
    private let milestones: [Int]

    /// - Parameters:
    ///   - schedules: one after another, at least one.
    ///   - milestones: the step at which each schedule after the first takes over, one fewer than schedules.
    public init(_ optimizer: any Optimizer, schedules: [LRScheduler], milestones: [Int]) {
        require(
            !schedules.isEmpty && milestones.count == schedules.count - 1,
            "SequentialLR: \(schedules.count) schedules and \(milestones.count) milestones; expected one milestone fewer"
        )
        require(
            milestones.allSatisfy { $0 >= 0 } && milestones == milestones.sorted(),
            "SequentialLR: milestones \(milestones); expected them ascending from 0 or more")
        for (index, schedule) in schedules.enumerated() {
            require(
                schedule.optimizer === optimizer, "SequentialLR: schedule \(index) was made for another optimiser")
            require(
                !(schedule is SequentialLR),
                "SequentialLR: schedule \(index) is one itself; expected its schedules in its place")
        }
        self.schedules = schedules
        self.milestones = milestones
        super.init(optimizer)
    }

    /// The schedule whose turn it is.
    private var active: Int { milestones.firstIndex { $0 > lastEpoch } ?? milestones.count }

    override func begin() {
        lastEpoch = 0
        optimizer.rates = optimizer.initialRates
        for schedule in schedules { schedule.lastEpoch -= 1 }
        schedules[active].begin()
        lastLearningRates = schedules[active].lastLearningRates
    }

    public override func step() {
        lastEpoch += 1
        let index = active
        if index > 0, milestones[index - 1] == lastEpoch { schedules[index].restart() } else { schedules[index].step() }
        lastLearningRates = schedules[index].lastLearningRates
    }
}

/// A straight rise over `warmupSteps`, then half a cosine over `tMax` steps: `LinearLR` and `CosineAnnealingLR` in a `SequentialLR`.
public final class WarmupCosine: SequentialLR {
    /// - Parameters:
    ///   - warmupSteps: of the rise from `startFactor` times the first rate.
    ///   - tMax: steps of the fall to `etaMin`.
    public init(
        _ optimizer: any Optimizer, warmupSteps: Int, startFactor: Double = 1.0 / 3, tMax: Int, etaMin: Double = 0
    ) {
        let rise = LinearLR(optimizer, startFactor: startFactor, totalIters: warmupSteps)
        let fall = CosineAnnealingLR(optimizer, tMax: tMax, etaMin: etaMin)
        super.init(optimizer, schedules: [rise, fall], milestones: [warmupSteps])
    }
}
