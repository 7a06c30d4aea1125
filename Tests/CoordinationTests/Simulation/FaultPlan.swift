import Coordination

/// What a simulated training is and how it is disturbed.
///
/// Each seed switches on a few kinds of faults at a strength of its own: all of them together in every trial would hide what one
/// kind does when it is left to itself.
struct FaultPlan {
    // The training.
    var shards = 8
    var steps = 6
    var words = 12
    var workers = 3
    /// Whether the coordinator takes no more workers than there are: one that comes for a lost one has to wait for the loss.
    var hasNoSpareRoom = false
    var checkpointEvery = 2
    var checkpointsKept = 2

    // How long things take, in microseconds.
    var latency: ClosedRange<Instant> = 500...5000
    /// What a frame takes up of its way.
    var frameTime: Instant = 100
    var shardTime: ClosedRange<Instant> = 5_000...50_000
    var updateTime: ClosedRange<Instant> = 1_000...20_000
    var diskTime: ClosedRange<Instant> = 100...2_000
    /// From the ledger's line to the next step, while workers are answered: a validation.
    var followUpTime: ClosedRange<Instant>?
    var coordinatorTick: Instant = .milliseconds(100)
    var workerTick: Instant = .milliseconds(200)
    var fallbackAfter: Instant = .seconds(10)
    var stallAfter: Instant = .seconds(30)
    var stragglerMinimum: Instant = .milliseconds(500)
    var overdueAfter: Instant = .seconds(10)
    /// How much longer the first worker takes, and every third behind it.
    var slowFactor = 1

    // Faults of single frames, as shares.
    var lostFrames = 0.0
    var repeatedFrames = 0.0
    var flippedBits = 0.0
    /// Whether frames of one connection overtake each other.
    var isDisordered = false

    // Faults in time: the mean from one to the next; nil for none.
    var brokenConnections: Instant?
    var partitions: Instant?
    var workerCrashes: Instant?
    var workerStalls: Instant?
    var coordinatorCrashes: Instant?
    var coordinatorStalls: Instant?
    /// Whether the workers end with the coordinator, as those do that it has started.
    var workersEndToo = false
    /// Peers that nobody has asked for: other arithmetic, garbage, messages of another run.
    var strangers: Instant?
    /// The share of the coordinator's crashes in which the machine loses power.
    var powerCuts = 0.0
    /// The longest that a partition or a stall lasts, and a process stays away.
    var longest: Instant = .seconds(8)
    /// Whether a frame sent into a partition waits for its end.
    var partitionsHold = true
    /// Whether a frame outlives its connection: it comes late to whoever is there then, and the next connection's overtake it.
    var framesOutlive = false
    /// Whether the first worker's answer is wrong whenever another's has been counted.
    var hasLiar = false

    /// So many of the last workers take work, say that they compute, and never answer; so does who comes in their place.
    var silentWorkers = 0

    /// So many of the first worker processes give wrong answers always, each its own.
    var wrongWorkers = 0
    /// The share of ranges that is computed twice on purpose.
    var auditShare = 0.0

    /// Whether every second wrong answer is of numbers that are not finite.
    var poisons = false
    /// How many answers may be on their way at a time.
    var answerRoom = Int.max
    /// Whether the sum of a step is not finite where a wrong answer is in it, and in every third step besides.
    var doubtsSums = false

    /// Whether the end is watched until the last worker has gone.
    var waitsForWorkers = false

    /// No fault happens after this.
    var healsAt: Instant = .seconds(15)

    /// Whether a wrong answer may count because nobody was asked twice for it.
    var letsLiesSlip: Bool { wrongWorkers > 0 && auditShare < 1 }

    /// When the run must have ended: what it may have lost before has to be noticed, and each step may take its time.
    var endsBy: Instant {
        let slowest = shardTime.upperBound * slowFactor
        let disk = diskTime.upperBound * 12 + (followUpTime?.upperBound ?? 0) + updateTime.upperBound
        let network = 20 * latency.upperBound + 100 * frameTime * workers
        let step = shards * slowest + disk + network + stragglerMinimum
        // Each of the silent may be given what another was late with, once; the first step may be the one that they all hold.
        let silence =
            silentWorkers == 0
            ? 0
            : (silentWorkers + 2)
                * (overdueAfter + .seconds(5) + 8 * shards * slowest + min(fallbackAfter, .seconds(10)))
        return healsAt + longest + stallAfter + .seconds(60) + min(fallbackAfter, .seconds(10)) + silence
            + (auditShare > 0 || hasLiar || doubtsSums ? 4 : 1) * (steps + 2) * step
    }

    /// How much may be on its way at once.
    var inFlightLimit: Int { 400 + workers * 400 }

    static func random(using generator: inout SeededGenerator) -> FaultPlan {
        var plan = FaultPlan()
        plan.shards = 1 << Int.random(in: 0...4, using: &generator)
        plan.words = Int.random(in: 1...20, using: &generator)
        plan.workers = Int.random(in: 1...6, using: &generator)
        plan.hasNoSpareRoom = generator.chance(0.2)
        plan.checkpointEvery = Int.random(in: 1...4, using: &generator)
        plan.checkpointsKept = Int.random(in: 1...3, using: &generator)
        plan.latency = [100...1000, 500...5000, 1000...200_000, 20_000...1_500_000].randomElement(using: &generator)!
        plan.frameTime = [10, 100, 20_000].randomElement(using: &generator)!
        plan.shardTime = [1000...20_000, 20_000...300_000, 10_000...1_500_000].randomElement(using: &generator)!
        plan.updateTime = [1000...20_000, 200_000...2_000_000].randomElement(using: &generator)!
        if generator.chance(0.2) { plan.followUpTime = 100_000...6_000_000 }
        plan.coordinatorTick = [.milliseconds(100), .milliseconds(250)].randomElement(using: &generator)!
        plan.workerTick = [.milliseconds(110), .milliseconds(400)].randomElement(using: &generator)!
        plan.fallbackAfter = [.zero, .seconds(3), .seconds(10), .seconds(100_000)].randomElement(using: &generator)!
        plan.stallAfter = [.seconds(6), .seconds(30)].randomElement(using: &generator)!
        plan.stragglerMinimum = [.milliseconds(20), .milliseconds(500)].randomElement(using: &generator)!
        if generator.chance(0.25) { plan.slowFactor = Int.random(in: 3...20, using: &generator) }
        plan.waitsForWorkers = generator.chance(0.25)
        plan.drawFaults(using: &generator)
        plan.steps = Swift.min(40, 2 + plan.healsAt / plan.stepTime * Int.random(in: 1...3, using: &generator) / 2)
        // Drawn apart: the rest of the trial is what it would be without.
        var others = generator
        plan.silenceWorkers(using: &others)
        plan.doubtSums(using: &others)
        plan.poisons = others.chance(0.5)
        if others.chance(0.4) { plan.answerRoom = Int.random(in: 0...4, using: &others) }
        return plan
    }

    /// Lets some workers never answer; all of them only where the coordinator computes by itself in the end.
    private mutating func silenceWorkers(using generator: inout SeededGenerator) {
        guard !hasLiar, wrongWorkers == 0, slowFactor == 1, generator.chance(0.25) else { return }
        let least = fallbackAfter <= .seconds(10) && generator.chance(0.3) ? 0 : 1
        silentWorkers = Swift.max(0, workers - Swift.max(least, Int.random(in: 0...2, using: &generator)))
        overdueAfter = [.seconds(1), .seconds(10)].randomElement(using: &generator)!
        // They hear no word of an end either.
        if silentWorkers > 0 { waitsForWorkers = false }
    }

    private mutating func doubtSums(using generator: inout SeededGenerator) {
        doubtsSums = !hasLiar && generator.chance(0.2)
        guard doubtsSums, wrongWorkers == 0, silentWorkers == 0, generator.chance(0.5) else { return }
        wrongWorkers = Int.random(in: 1...2, using: &generator)
    }

    /// About what a step takes when nothing is in its way.
    private var stepTime: Instant {
        func middle(_ range: ClosedRange<Instant>) -> Instant { (range.lowerBound + range.upperBound) / 2 }
        let computing = middle(shardTime) * (shards + workers - 1) / workers
        return 4 * middle(latency) + 10 * frameTime + computing + middle(updateTime) + middle(diskTime)
            + (followUpTime.map(middle) ?? 0)
    }

    private mutating func drawFaults(using generator: inout SeededGenerator) {
        if generator.chance(0.3) { lostFrames = [0.005, 0.03, 0.15].randomElement(using: &generator)! }
        if generator.chance(0.3) { repeatedFrames = [0.02, 0.3].randomElement(using: &generator)! }
        if generator.chance(0.25) { flippedBits = [0.002, 0.02].randomElement(using: &generator)! }
        isDisordered = generator.chance(0.25)
        func interval(_ probability: Double) -> Instant? {
            guard generator.chance(probability) else { return nil }
            return [.milliseconds(500), .seconds(2), .seconds(6)].randomElement(using: &generator)!
        }
        brokenConnections = interval(0.3)
        partitions = interval(0.25)
        workerCrashes = interval(0.35)
        workerStalls = interval(0.25)
        coordinatorCrashes = interval(0.4)
        coordinatorStalls = interval(0.2)
        workersEndToo = generator.chance(0.3)
        strangers = interval(0.15)
        powerCuts = [0, 0.5, 1].randomElement(using: &generator)!
        longest = [.milliseconds(300), .seconds(3), .seconds(12)].randomElement(using: &generator)!
        partitionsHold = generator.chance(0.5)
        framesOutlive = generator.chance(0.3)
        if generator.chance(0.3) { diskTime = 10_000...[50_000, 700_000].randomElement(using: &generator)! }
        if generator.chance(0.15), workers > 1 {
            hasLiar = true
            if generator.chance(0.5) { followUpTime = 100_000...6_000_000 }
            slowFactor = Swift.max(slowFactor, 4)
            workers = Swift.max(workers, 3)
            shards = Swift.max(shards, 4)
        }
        if generator.chance(0.3) {
            auditShare = [0.1, 0.5, 1].randomElement(using: &generator)!
            if generator.chance(0.6) { wrongWorkers = Int.random(in: 1...3, using: &generator) }
        }
        healsAt = .seconds(Int.random(in: 5...25, using: &generator))
        if generator.chance(0.15) { leaveAnswersToHeirs(using: &generator) }
    }

    /// A coordinator that often dies, and the next soon there: what the only worker has answered to the dead one arrives when it is
    /// computing the same shards of the same step for the living one.
    private mutating func leaveAnswersToHeirs(using generator: inout SeededGenerator) {
        coordinatorCrashes = [.seconds(2), .seconds(4)].randomElement(using: &generator)!
        (workersEndToo, framesOutlive, powerCuts, longest) = (false, true, 0, .milliseconds(300))
        (workers, slowFactor, hasLiar, wrongWorkers) = (1, 1, false, 0)
        (shards, checkpointEvery) = (1 << Int.random(in: 0...1, using: &generator), 1)
        latency = [50_000...300_000, 200_000...900_000].randomElement(using: &generator)!
        shardTime = 500_000...1_500_000
        fallbackAfter = .seconds(100_000)
    }
}
