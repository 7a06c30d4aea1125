import Coordination

/// How a simulated training is disturbed.
struct SimulationPlan {
    var shards = 8
    var steps = 6
    var workers = 3
    var dropRate = 0.0
    var repeatRate = 0.0
    /// Whether messages of one sender arrive in the order they were sent.
    var isOrdered = true
    var latency: ClosedRange<Int> = 1...5
    var shardMilliseconds: ClosedRange<Int> = 5...50
    /// From a step's reduction to the next step.
    var updateMilliseconds: ClosedRange<Int> = 1...30
    /// Mean seconds from one crash to the next; nil for none.
    var workerCrashes: Double?
    var coordinatorCrashes: Double?
    var stalls: Double?
    var fallbackAfter: Duration = .seconds(10)
    var corruptWorkers = 0
    /// No fault happens after this.
    var healsAt: Duration = .seconds(40)
    var endsBy: Duration = .seconds(900)

    /// A plan drawn from everything that can happen.
    static func random(using generator: inout SeededGenerator) -> SimulationPlan {
        var plan = SimulationPlan()
        plan.shards = 1 << Int.random(in: 0...4, using: &generator)
        plan.steps = Int.random(in: 2...8, using: &generator)
        plan.workers = Int.random(in: 0...5, using: &generator)
        plan.dropRate = [0, 0, 0.01, 0.05, 0.2].randomElement(using: &generator)!
        plan.repeatRate = [0, 0, 0.05, 0.3].randomElement(using: &generator)!
        plan.isOrdered = generator.chance(0.6)
        plan.latency = [1...5, 1...200, 20...2000].randomElement(using: &generator)!
        plan.shardMilliseconds = [1...20, 50...500, 10...3000].randomElement(using: &generator)!
        plan.updateMilliseconds = [1...30, 500...5000].randomElement(using: &generator)!
        plan.workerCrashes = [nil, 20, 3].randomElement(using: &generator)!
        plan.coordinatorCrashes = [nil, nil, 15].randomElement(using: &generator)!
        plan.stalls = [nil, nil, 10].randomElement(using: &generator)!
        plan.fallbackAfter = [.zero, .seconds(10), .seconds(100_000)].randomElement(using: &generator)!
        return plan
    }
}

/// A whole training in memory: one coordinator, some workers, a network, and faults drawn from a seed.
///
/// At every event: each shard is counted once (the tree refuses a second), no step is reduced with a shard missing,
/// every result is the fault-free one, and no queue or buffer outgrows its bound. At the end the run has ended.
struct Simulation {
    static let parameterBytes = UInt64(2 * frameBytes + 77)
    static let answerBytes = UInt64(frameBytes + 5)

    private enum Happening {
        case toCoordinator(Packet, from: WorkerID)
        case toWorker(Packet, WorkerID)
        case coordinatorTick
        case workerTick(WorkerID)
        case computed(WorkerID, step: UInt64, range: ShardRange)
        case computedLocally(incarnation: UInt64, step: UInt64, range: ShardRange)
        case beginStep(incarnation: UInt64)
        case workerCrash
        case workerStart
        case coordinatorCrash
        case coordinatorStart
        case coordinatorStall
        case exitSeen(WorkerID)
        case sendFailed(WorkerID)
        case heal
    }

    let plan: SimulationPlan
    private let training: SimulatedTraining
    private let expected: [UInt64]
    private let run = RunID(low: 5, high: 7)
    private var generator: SeededGenerator
    private var queue = EventQueue<Happening>()
    private var now: Duration = .zero
    private var incarnation: UInt64 = 0
    private var coordinator: SimulatedCoordinator?
    private var stalledUntil: Duration?
    private var workers: [WorkerID: SimulatedWorker] = [:]
    private var started = 0
    private var savedStep: UInt64 = 0
    private var lastArrivals: [String: Duration] = [:]
    private(set) var counters: [CoordinatorCounters] = []
    private(set) var conflicts = 0
    private(set) var largestLoad = 0

    init(_ plan: SimulationPlan, seed: UInt64) {
        self.plan = plan
        generator = SeededGenerator(seed: seed)
        training = SimulatedTraining(shards: plan.shards, salt: seed)
        expected = training.faultFree(steps: plan.steps)
    }

    /// Runs to the end of the training; throws what went wrong.
    mutating func runToEnd() throws {
        queue.add(.coordinatorStart, at: .zero)
        for _ in 0..<plan.workers { queue.add(.workerStart, at: milliseconds(0...3000)) }
        queue.add(.coordinatorTick, at: .zero)
        queue.add(.heal, at: plan.healsAt)
        for (mean, happening) in [
            (plan.workerCrashes, Happening.workerCrash), (plan.coordinatorCrashes, .coordinatorCrash),
            (plan.stalls, .coordinatorStall),
        ] {
            if let mean { queue.add(happening, at: wait(mean)) }
        }

        while let (time, happening) = queue.next() {
            now = time
            guard now < plan.endsBy else {
                throw SimulationFailure(description: "step \(savedStep) of \(plan.steps) after \(now): \(plan)")
            }
            try handle(happening)
            largestLoad = max(largestLoad, queue.count)
            if savedStep == plan.steps { break }
        }
        if let coordinator { note(coordinator) }
    }

    private mutating func handle(_ happening: Happening) throws {
        if let stalledUntil, stalledUntil > now, coordinator != nil {
            switch happening {
            case .toCoordinator, .coordinatorTick, .computedLocally, .beginStep, .exitSeen, .sendFailed:
                return queue.add(happening, at: stalledUntil)
            default: break
            }
        }
        switch happening {
        case .toCoordinator(let packet, let worker):
            let time = now
            try act(coordinator?.receive(packet, from: worker, at: time))
        case .toWorker(let packet, let worker):
            let time = now
            if workers[worker] == nil, coordinator != nil, generator.chance(0.1) {
                queue.add(.sendFailed(worker), at: now)
            }
            try act(workers[worker]?.receive(packet, at: time), of: worker)
        case .coordinatorTick:
            let time = now
            try act(coordinator?.tell(.tick, at: time))
            queue.add(.coordinatorTick, at: now + .milliseconds(100))
        case .workerTick(let worker):
            let time = now
            guard workers[worker] != nil else { return }
            try act(workers[worker]?.tick(at: time), of: worker)
            queue.add(.workerTick(worker), at: now + .milliseconds(200))
        case .computed(let worker, let step, let range):
            let time = now
            try act(workers[worker]?.finish(range, of: step, at: time), of: worker)
        case .computedLocally(let incarnation, let step, let range):
            let time = now
            guard incarnation == self.incarnation else { return }
            try act(coordinator?.finishLocally(range, of: step, at: time))
        case .beginStep(let incarnation):
            let time = now
            guard incarnation == self.incarnation else { return }
            try act(coordinator?.begin(at: time))
        case .exitSeen(let worker):
            let time = now
            try act(coordinator?.tell(.workerExited(worker), at: time))
        case .sendFailed(let worker):
            let time = now
            try act(coordinator?.tell(.sendFailed(to: worker), at: time))
        case .workerStart: try startWorker()
        case .workerCrash: crashWorker()
        case .coordinatorStart: try startCoordinator()
        case .coordinatorCrash: crashCoordinator()
        case .coordinatorStall: try stallCoordinator()
        case .heal:
            // One worker is healthy from here on, unless the coordinator is to help itself.
            if workers.isEmpty, plan.fallbackAfter > .seconds(1000) { try startWorker() }
        }
    }

    // MARK: Faults

    private mutating func startWorker() throws {
        guard workers.count < max(1, plan.workers) else { return }
        started += 1
        let id = WorkerID(Array("w\(started)".utf8))
        let configuration = WorkerConfiguration(
            version: "1", fingerprint: Array(repeating: 7, count: 32), label: "worker \(started)", threads: 1)
        workers[id] = SimulatedWorker(
            id: id, configuration, training: training, shardTime: milliseconds(plan.shardMilliseconds),
            isSingleThreaded: generator.chance(0.5), corruption: started <= plan.corruptWorkers ? 1 : 0)
        let time = now
        try act(workers[id]!.tell(.started, at: time), of: id)
        queue.add(.workerTick(id), at: now + .milliseconds(200))
    }

    private mutating func crashWorker() {
        guard now < plan.healsAt else { return }
        if let id = workers.keys.sorted(by: { $0.description < $1.description }).randomElement(using: &generator) {
            remove(id)
        }
        if let mean = plan.workerCrashes { queue.add(.workerCrash, at: wait(mean)) }
    }

    private mutating func remove(_ id: WorkerID) {
        workers[id] = nil
        if generator.chance(0.5) { queue.add(.exitSeen(id), at: now + .milliseconds(1)) }
        queue.add(.workerStart, at: now + milliseconds(0...8000))
    }

    private mutating func startCoordinator() throws {
        incarnation += 1
        var configuration = CoordinatorConfiguration(
            run: run, incarnation: incarnation, shards: plan.shards, version: "1",
            fingerprint: Array(repeating: 7, count: 32), parameterBytes: Simulation.parameterBytes,
            answerLimit: Simulation.answerBytes, assignmentLimit: UInt64(frameBytes), model: [1, 2, 3])
        configuration.fallbackAfter = plan.fallbackAfter
        configuration.stallAfter = .seconds(6)
        coordinator = SimulatedCoordinator(
            configuration, training: training, expected: expected, step: savedStep)
        queue.add(.beginStep(incarnation: incarnation), at: now)
    }

    private mutating func crashCoordinator() {
        guard now < plan.healsAt else { return }
        if let coordinator {
            note(coordinator)
            self.coordinator = nil
            queue.add(.coordinatorStart, at: now + milliseconds(100...12_000))
        }
        if let mean = plan.coordinatorCrashes { queue.add(.coordinatorCrash, at: wait(mean)) }
    }

    private mutating func stallCoordinator() throws {
        guard now < plan.healsAt else { return }
        if coordinator != nil, stalledUntil ?? .zero <= now {
            let duration = milliseconds(100...20_000)
            stalledUntil = now + duration
            let time = now + duration
            try act(coordinator?.tell(.suspended(for: duration), at: time))
        }
        if let mean = plan.stalls { queue.add(.coordinatorStall, at: wait(mean)) }
    }

    // MARK: What was asked for

    private mutating func act(_ output: SimulatedCoordinator.Output?) throws {
        guard let output else { return }
        for (worker, packet) in output.packets {
            transmit(.toWorker(packet, worker), link: "to \(worker)")
        }
        if let (step, range) = output.localWork {
            queue.add(
                .computedLocally(incarnation: incarnation, step: step, range: range),
                at: now + milliseconds(plan.shardMilliseconds) * range.count)
        }
        if output.reduced != nil {
            savedStep = coordinator!.step
            queue.add(.beginStep(incarnation: incarnation), at: now + milliseconds(plan.updateMilliseconds))
        }
    }

    private mutating func act(_ output: SimulatedWorker.Output?, of worker: WorkerID) throws {
        guard let output else { return }
        for packet in output.packets {
            transmit(.toCoordinator(packet, from: worker), link: "from \(worker)")
        }
        if let (step, range) = output.work {
            let time = now + workers[worker]!.shardTime * range.count
            queue.add(.computed(worker, step: step, range: range), at: time)
        }
        if let code = output.exitCode {
            guard code == 1 else { throw SimulationFailure(description: "worker \(worker) exits with \(code)") }
            remove(worker)
        }
    }

    private mutating func transmit(_ happening: Happening, link: String) {
        let isHealed = now >= plan.healsAt
        if !isHealed, generator.chance(plan.dropRate) { return }
        let copies = !isHealed && generator.chance(plan.repeatRate) ? 2 : 1
        for _ in 0..<copies {
            var arrival = now + milliseconds(plan.latency)
            if plan.isOrdered {
                arrival = max(arrival, lastArrivals[link] ?? .zero)
                lastArrivals[link] = arrival
            }
            queue.add(happening, at: arrival)
        }
    }

    private mutating func note(_ coordinator: SimulatedCoordinator) {
        counters.append(coordinator.machine.counters)
        conflicts += coordinator.conflicts.count
    }

    private mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &generator))
    }

    private mutating func wait(_ mean: Double) -> Duration {
        now + .milliseconds(Int(2000 * mean * Double.random(in: 0..<1, using: &generator)))
    }
}
