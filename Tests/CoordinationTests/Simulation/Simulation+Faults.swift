import Coordination

/// What goes wrong, and when.
extension Simulation {
    mutating func scheduleNext(_ fault: Fault) {
        let mean: Instant? =
            switch fault {
            case .breakConnection: plan.brokenConnections
            case .partition: plan.partitions
            case .crashWorker: plan.workerCrashes
            case .stallWorker: plan.workerStalls
            case .crashCoordinator: plan.coordinatorCrashes
            case .stallCoordinator: plan.coordinatorStalls
            case .sendStranger: plan.strangers
            }
        guard let mean else { return }
        let time = after(1000...2 * mean)
        if time < plan.healsAt { queue.add(.fault(fault), at: time) }
    }

    mutating func commit(_ fault: Fault) throws {
        scheduleNext(fault)
        count(fault)
        switch fault {
        case .crashCoordinator: crashCoordinator()
        case .stallCoordinator: stallCoordinator()
        case .sendStranger: try sendStranger()
        case .breakConnection:
            guard let worker = anyWorker() else { return }
            disconnect(worker, [[.data], [.control], [.data, .control]].randomElement(using: &generator)!)
        case .partition: partition()
        case .crashWorker:
            guard let worker = anyWorker() else { return }
            end(worker, isSeen: generator.chance(0.5))
        case .stallWorker:
            guard let worker = anyWorker() else { return }
            worker.stalledUntil = min(plan.healsAt, after(50_000...max(50_000, plan.longest)))
            queue.add(.workerWakes(worker.number), at: worker.stalledUntil)
        }
    }

    private mutating func anyWorker() -> WorkerProcess? {
        slots.compactMap { $0 }.randomElement(using: &generator).map { workers[$0] }
    }

    private mutating func partition() {
        let one = anyWorker()
        let those = generator.chance(0.3) ? slots.compactMap { $0 }.map { workers[$0] } : [one].compactMap { $0 }
        let (up, down) = [(true, true), (true, false), (false, true)].randomElement(using: &generator)!
        let end = min(plan.healsAt, after(50_000...max(50_000, plan.longest)))
        for worker in those {
            if up { worker.upCutUntil = end }
            if down { worker.downCutUntil = end }
        }
    }

    private mutating func crashCoordinator() {
        guard let coordinator else { return }
        keep(coordinator.machine.counters)
        self.coordinator = nil
        if generator.chance(plan.powerCuts) {
            disk.cutPower(using: &generator)
            countPowerCut()
        }
        for worker in workers {
            (worker.data, worker.control) = (nil, nil)
            worker.isRoutable = false
        }
        if plan.workersEndToo {
            for worker in workers where worker.isAlive { end(worker, isSeen: true) }
        }
        queue.add(.coordinatorStarts, at: after(50_000...max(50_000, plan.longest)))
    }

    /// Somebody speaks who has no part in the run.
    private mutating func sendStranger() throws {
        let words: [UInt8] =
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                Packet.frame(
                    Message(
                        .hello(
                            Hello(
                                session: 1, version: "1", fingerprint: Array(repeating: 8, count: 32),
                                label: "a stranger", threads: 1)), run: .none, incarnation: 0))
            case 1:
                Packet.frame(
                    Message(
                        .pull(WorkerStatus(session: 1, wanted: 2, isComputing: false, progress: 3)),
                        run: RunID(low: 9, high: 9), incarnation: coordinator?.incarnation ?? 1, step: 1,
                        shards: ShardRange(first: 0, count: 1)))
            default:
                (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                    UInt8.random(in: .min ... .max, using: &generator)
                }
            }
        let packet = Packet(bytes: words, process: -1, channel: .data, connection: 0)
        try give(.packet(packet, from: Simulation.stranger))
    }

    static let stranger = WorkerID(Array("stranger".utf8))

    /// Two answers differ: one of the two workers lies.
    mutating func check(_ conflict: AnswerConflict) throws {
        let names = plan.letsLiesSlip ? [conflict.second, conflict.first] : [conflict.second]
        guard names.compactMap({ routes[$0] }).contains(where: { workers[$0].isDishonest }) else {
            throw Violation("\(conflict.first) and \(conflict.second) differ on \(conflict.subtree), and nobody lies")
        }
        countConflict()
    }
}
