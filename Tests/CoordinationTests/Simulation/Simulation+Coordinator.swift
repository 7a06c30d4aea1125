import Coordination

/// The coordinator's one thread, its ledger and its checkpoints, as the real one has them.
extension Simulation {
    mutating func startCoordinator() throws {
        let (incarnation, step, state) = try disk.resume(first: truth.mathematics.first)
        let first = truth.bug == .resumeOneStepLate && step > 0 && step < plan.steps ? step + 1 : step
        coordinator = CoordinatorProcess(truth, incarnation: incarnation, step: first, state: state)
        queue.add(.coordinatorTick(incarnation: incarnation), at: now)
        for worker in workers where worker.isAlive {
            queue.add(.reconnects(worker.number), at: after(1000...1_500_000))
        }
        try beginStep()
    }

    /// Hands the coordinator what has arrived, or leaves it where it waits until the thread is free.
    mutating func give(_ input: CoordinatorProcess.Input) throws {
        guard let coordinator else { return }
        guard now >= coordinator.busyUntil else {
            // One tick is enough, however long it waits.
            if case .tick = input { return }
            coordinator.backlog.append(input)
            return
        }
        try act(coordinator.take(input, at: now))
    }

    mutating func act(_ output: CoordinatorProcess.Output) throws {
        guard let coordinator else { return }
        var unreachable: [WorkerID] = []
        for (worker, frame) in output.sends where !unreachable.contains(worker) {
            if !send(frame, to: worker) { unreachable.append(worker) }
        }
        for conflict in output.conflicts { try check(conflict) }
        if output.isReduced {
            occupy(for: draw(plan.updateTime), then: .update)
        }
        coordinator.wantedLocal = output.local ?? coordinator.wantedLocal
        coordinator.wantedOwn = output.own ?? coordinator.wantedOwn
        computeWanted()
        for worker in unreachable {
            guard self.coordinator === coordinator else { return }
            try act(coordinator.tell(.sendFailed(to: worker), at: now))
        }
    }

    private mutating func computeWanted() {
        guard let coordinator, now >= coordinator.busyUntil else { return }
        if let range = coordinator.wantedLocal {
            coordinator.wantedLocal = nil
            occupy(for: draw(plan.shardTime) * range.count, then: .finishLocally(range))
        } else if let subtree = coordinator.wantedOwn {
            coordinator.wantedOwn = nil
            occupy(for: draw(plan.shardTime) * subtree.count, then: .finishOwn(subtree))
        }
    }

    private mutating func occupy(for time: Instant, then continuation: CoordinatorProcess.Continuation) {
        guard let coordinator else { return }
        coordinator.busySince = now
        coordinator.busyUntil = max(now, coordinator.stalledUntil) + time
        coordinator.continuation = continuation
        queue.add(.coordinatorWakes(incarnation: coordinator.incarnation), at: coordinator.busyUntil)
    }

    mutating func stallCoordinator() {
        guard let coordinator, coordinator.stalledUntil <= now else { return }
        let time = draw(50_000...max(50_000, plan.longest))
        if now >= coordinator.busyUntil {
            coordinator.busySince = now
            coordinator.busyUntil = now
            coordinator.continuation = .lookAround
        }
        coordinator.stalledUntil = now + time
        coordinator.busyUntil += time
        queue.add(.coordinatorWakes(incarnation: coordinator.incarnation), at: coordinator.busyUntil)
    }

    mutating func wakeCoordinator() throws {
        guard let coordinator, now == coordinator.busyUntil else { return }
        let continuation = coordinator.continuation
        coordinator.continuation = .lookAround
        switch continuation {
        case .lookAround: break
        case .finishLocally(let range): try act(coordinator.finishLocally(range, at: now))
        case .finishOwn(let subtree): try act(coordinator.finishOwn(subtree, at: now))
        case .update:
            if let output = try coordinator.doubtSum(at: now) {
                countDoubt()
                try act(output)
                break
            }
            let line = coordinator.update(after: SimulatedMathematics.LedgerLine.head(disk.ledger))
            if truth.bug == .publishBeforeLedger {
                queue.add(
                    .lateLedgerLine(incarnation: coordinator.incarnation, line), at: after(plan.diskTime))
                try conclude()
            } else {
                coordinator.line = line
                occupy(for: draw(plan.diskTime), then: .appendToLedger)
            }
        case .appendToLedger:
            try append(coordinator.line!)
            // Another run from here on, which nobody can hold against this one's.
            guard !isFinished else { return }
            if let time = plan.followUpTime {
                queue.add(.followUpDone(incarnation: coordinator.incarnation), at: after(time))
            } else {
                try conclude()
            }
        }
        try lookAround(after: now - coordinator.busySince)
    }

    /// Takes in what has waited.
    private mutating func lookAround(after absence: Instant) throws {
        computeWanted()
        guard let coordinator, now >= coordinator.busyUntil else { return }
        if absence > .seconds(1) { try act(coordinator.tell(.suspended(for: absence.duration), at: now)) }
        let waiting = coordinator.backlog
        coordinator.backlog = []
        for input in waiting {
            guard self.coordinator === coordinator else { return }
            try give(input)
        }
    }

    // MARK: Between two steps

    mutating func append(_ line: SimulatedMathematics.LedgerLine) throws {
        disk.append(line)
        let place = disk.ledger.count - 1
        if coordinator?.isTainted == true, !plan.doubtsSums, place < truth.ledger.count, line != truth.ledger[place] {
            return slip()
        }
        guard place < truth.ledger.count, line == truth.ledger[place] else {
            throw Violation("line \(place) of the ledger, of step \(line.step), is not that of the fault-free run")
        }
    }

    private var savesNow: Bool {
        guard let coordinator else { return false }
        return coordinator.step % plan.checkpointEvery == 0 || coordinator.step == plan.steps
    }

    /// Begins to write a checkpoint if one is due, and then the next step, or ends.
    mutating func conclude() throws {
        guard let coordinator else { return }
        if savesNow {
            guard coordinator.writing == nil else {
                coordinator.waitsForWriter = true
                return
            }
            let checkpoint = SimulatedDisk.Checkpoint(
                step: coordinator.step, state: coordinator.state,
                ledgerHead: SimulatedMathematics.LedgerLine.head(disk.ledger))
            coordinator.writing = (checkpoint, 0)
            queue.add(.writerGoesOn(incarnation: coordinator.incarnation), at: after(plan.diskTime))
        }
        guard coordinator.step < plan.steps else {
            try act(coordinator.tell(.stop(reason: "the run is done"), at: now))
            return
        }
        try beginStep()
    }

    private mutating func beginStep() throws {
        guard let coordinator else { return }
        guard coordinator.step < plan.steps else {
            // It died between the last checkpoint and its own end.
            isFinished = true
            return
        }
        guard disk.ledger.count >= coordinator.step else {
            throw Violation("step \(coordinator.step) is published and the ledger has \(disk.ledger.count) lines")
        }
        try act(coordinator.begin(at: now))
    }

    mutating func writeOn() throws {
        guard let coordinator, let (checkpoint, done) = coordinator.writing else { return }
        guard now >= coordinator.stalledUntil else {
            queue.add(.writerGoesOn(incarnation: coordinator.incarnation), at: coordinator.stalledUntil)
            return
        }
        disk.perform(SimulatedDisk.WritingStep.allCases[done], of: checkpoint)
        guard done + 1 == SimulatedDisk.WritingStep.allCases.count else {
            coordinator.writing = (checkpoint, done + 1)
            queue.add(.writerGoesOn(incarnation: coordinator.incarnation), at: after(plan.diskTime))
            return
        }
        coordinator.writing = nil
        if checkpoint.step == plan.steps {
            isFinished = true
        } else if coordinator.waitsForWriter {
            coordinator.waitsForWriter = false
            try conclude()
        }
    }
}
