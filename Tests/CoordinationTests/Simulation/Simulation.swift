import Coordination

/// A whole training in memory: one coordinator with its disk, some workers, a network, and faults drawn from a seed.
///
/// At every event: one version of the parameters a step, each shard counted once, no step reduced with a shard missing, a ledger
/// that is a prefix of the fault-free one, no checkpoint lost that was said to be written, nothing taken that is over or comes from
/// somebody else, every queue within its bound. When the faults have ended, the run ends in bounded time with the fault-free bytes.
struct Simulation {
    enum Happening {
        case toCoordinator(Packet)
        case toWorker(Packet)
        case coordinatorTick(incarnation: UInt64)
        case coordinatorWakes(incarnation: UInt64)
        case followUpDone(incarnation: UInt64)
        case lateLedgerLine(incarnation: UInt64, SimulatedMathematics.LedgerLine)
        case writerGoesOn(incarnation: UInt64)
        case coordinatorStarts
        case workerStarts(slot: Int)
        case workerTick(Int)
        case workerPing(Int)
        case workerWakes(Int)
        case computed(Int, step: UInt64, range: ShardRange)
        case reconnects(Int)
        case exitSeen(WorkerID)
        case fault(Fault)
    }

    enum Fault: CaseIterable {
        case breakConnection
        case partition
        case crashWorker
        case stallWorker
        case crashCoordinator
        case stallCoordinator
        case sendStranger
    }

    /// What has happened, for those who check that the faults were there.
    struct Tally {
        var events = 0
        var counters: [CoordinatorCounters] = []
        var faults: [Fault: Int] = [:]
        var powerCuts = 0
        var conflicts = 0
        var flips = 0
        /// Sums that were said not to be finite.
        var doubts = 0
        /// Ranges whose workers never answer.
        var silent = 0
        var largestQueue = 0
        /// Whether a wrong answer has counted that nobody had to notice; the seed ends there.
        var hasSlipped = false
        var end: Instant = 0
        /// The share that was used of the time in which the run has to end after the last fault.
        var share = 0.0
    }

    let truth: Truth
    var plan: FaultPlan { truth.plan }
    var generator: SeededGenerator
    var queue = EventQueue<Happening>()
    var now: Instant = 0
    var coordinator: CoordinatorProcess?
    var disk: SimulatedDisk
    var workers: [WorkerProcess] = []
    /// The process that answers to a name: the last one that took it.
    var routes: [WorkerID: Int] = [:]
    var slots: [Int?]
    var connections = 0
    var liarIsCaught = false
    var isFinished = false
    private(set) var tally = Tally()
    /// The last happenings as text, when somebody wants them.
    var log: [String]?

    init(_ plan: FaultPlan, seed: UInt64, bug: PlantedBug? = nil) {
        truth = Truth(plan, salt: seed, bug: bug)
        generator = SeededGenerator(seed: seed)
        let forgotten: [SimulatedDisk.WritingStep] = [.synchronizeLedger, .synchronizeFiles, .synchronizeDirectory]
        disk = SimulatedDisk(
            kept: plan.checkpointsKept,
            forgotten: bug == .forgetSynchronizing ? forgotten[Int(seed % UInt64(forgotten.count))] : nil)
        slots = Array(repeating: nil, count: plan.workers)
    }

    /// Runs to the end of the training; throws what must not have happened.
    mutating func runToEnd() throws {
        queue.add(.coordinatorStarts, at: 0)
        for slot in slots.indices { queue.add(.workerStarts(slot: slot), at: draw(0...2_000_000)) }
        for fault in Fault.allCases { scheduleNext(fault) }
        while !isFinished, let (time, happening) = queue.next() {
            now = time
            guard now < plan.endsBy else {
                throw Violation("not ended \((plan.endsBy - plan.healsAt) / 1_000_000) s after the last fault")
            }
            if log != nil { note(happening) }
            try handle(happening)
            tally.events += 1
            tally.largestQueue = max(tally.largestQueue, queue.count)
            guard queue.count <= plan.inFlightLimit else { throw Violation("\(queue.count) things are on their way") }
        }
        tally.end = now
        tally.share = Double(now - plan.healsAt) / Double(plan.endsBy - plan.healsAt)
        if let coordinator { tally.counters.append(coordinator.machine.counters) }
        guard !tally.hasSlipped else { return }
        try checkDisk()
        if plan.waitsForWorkers { try waitForWorkers() }
    }

    /// The coordinator has gone; so must every worker, told or not.
    private mutating func waitForWorkers() throws {
        coordinator = nil
        let patience = now + .seconds(140) + plan.shardTime.upperBound * plan.slowFactor * plan.shards
        for worker in workers where worker.isAlive { disconnect(worker, [.data, .control]) }
        while workers.contains(where: \.isAlive), let (time, happening) = queue.next() {
            now = time
            guard now < patience else { throw Violation("the run has ended, and a worker is left") }
            if log != nil { note(happening) }
            try handle(happening)
        }
    }

    /// What is there for certain after the end is the whole run.
    private mutating func checkDisk() throws {
        disk.cutPower(using: &generator)
        let end = try disk.resume(first: truth.mathematics.first)
        guard end.step == plan.steps, end.state == truth.states[plan.steps], disk.ledger == truth.ledger else {
            throw Violation("the run has ended, and its directory holds another end")
        }
    }

    private mutating func handle(_ happening: Happening) throws {
        switch happening {
        case .toCoordinator(let packet): try arriveAtCoordinator(packet)
        case .toWorker(let packet): try arriveAtWorker(packet)
        case .coordinatorTick(let incarnation):
            guard coordinator?.incarnation == incarnation else { return }
            try give(.tick)
            queue.add(.coordinatorTick(incarnation: incarnation), at: now + plan.coordinatorTick)
        case .coordinatorWakes(let incarnation):
            guard coordinator?.incarnation == incarnation else { return }
            try wakeCoordinator()
        case .followUpDone(let incarnation):
            guard coordinator?.incarnation == incarnation else { return }
            try conclude()
        case .lateLedgerLine(let incarnation, let line):
            guard coordinator?.incarnation == incarnation else { return }
            try append(line)
        case .writerGoesOn(let incarnation):
            guard coordinator?.incarnation == incarnation else { return }
            try writeOn()
        case .coordinatorStarts: try startCoordinator()
        case .workerStarts(let slot): try startWorker(in: slot)
        case .workerTick(let number): try tickWorker(number)
        case .workerPing(let number): pingFromWorker(number)
        case .workerWakes(let number): try wakeWorker(number)
        case .computed(let number, let step, let range): try finishWork(number, step, range)
        case .reconnects(let number): try reconnect(number)
        case .exitSeen(let worker): try give(.exited(worker))
        case .fault(let fault): try commit(fault)
        }
    }

    // MARK: Chance

    mutating func draw(_ range: ClosedRange<Instant>) -> Instant { Int.random(in: range, using: &generator) }

    mutating func after(_ range: ClosedRange<Instant>) -> Instant { now + draw(range) }

    var isHealed: Bool { now >= plan.healsAt }

    mutating func count(_ fault: Fault) { tally.faults[fault, default: 0] += 1 }
    mutating func countPowerCut() { tally.powerCuts += 1 }
    mutating func countConflict() { tally.conflicts += 1 }
    mutating func countDoubt() { tally.doubts += 1 }

    mutating func slip() { (tally.hasSlipped, isFinished) = (true, true) }
    mutating func countFlip() { tally.flips += 1 }
    mutating func countSilence() { tally.silent += 1 }
    mutating func keep(_ counters: CoordinatorCounters) { tally.counters.append(counters) }
}
