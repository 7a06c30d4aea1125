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
        queue.add(.coordinatorStarts, at: after(50_000...max(50_000, plan.longest)))
    }

    /// Two answers differ: the coordinator ends, whoever runs it takes the liar away and starts it again.
    mutating func failOver(_ conflict: AnswerConflict) throws {
        guard let number = routes[conflict.second], workers[number].slot == 0, plan.hasLiar, !liarIsCaught else {
            throw Violation("\(conflict.first) and \(conflict.second) differ on \(conflict.subtree), and nobody lies")
        }
        liarIsCaught = true
        countConflict()
        if workers[number].isAlive { end(workers[number], isSeen: true) }
        crashCoordinator()
    }
}
