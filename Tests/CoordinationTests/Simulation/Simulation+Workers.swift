import Coordination

/// Worker processes: their start, their one thread beside the one that pings, their end.
extension Simulation {
    mutating func startWorker(in slot: Int) throws {
        guard slots[slot] == nil, !isFinished else { return }
        let number = workers.count
        let name = truth.bug == .reuseIdentity ? "slot\(slot)" : "worker\(number)"
        let isSlow = slot % 3 == 0
        let worker = WorkerProcess(
            number: number, slot: slot, id: WorkerID(Array(name.utf8)),
            shardTime: draw(plan.shardTime) * (isSlow ? plan.slowFactor : 1),
            isDishonest: number < plan.wrongWorkers || (slot == 0 && plan.hasLiar && !liarIsCaught), truth: truth)
        if number < plan.wrongWorkers { worker.lies = { _, _ in true } }
        workers.append(worker)
        slots[slot] = number
        routes[worker.id] = number
        queue.add(.workerTick(number), at: now + plan.workerTick)
        queue.add(.workerPing(number), at: now + .seconds(1))
        if coordinator != nil { try reconnect(number) }
        try act(worker.tell(.started, at: now), of: worker)
    }

    mutating func act(_ output: WorkerProcess.Output, of worker: WorkerProcess) throws {
        for (frame, isAnswer) in output.frames { send(frame, from: worker, isAnswer: isAnswer) }
        if let (step, range) = output.work {
            if worker.slot >= plan.workers - plan.silentWorkers {
                countSilence()
            } else {
                queue.add(
                    .computed(worker.number, step: step, range: range), at: now + worker.shardTime * range.count)
            }
        }
        guard let code = output.exitCode else { return }
        if code == 3, worker.isDishonest, worker.slot == 0 { liarIsCaught = true }
        // Refused for good only when its words were garbled, it lied, or when there was no room until the run had ended.
        let mayBeRefused = plan.flippedBits > 0 || worker.isDishonest || (plan.hasNoSpareRoom && isFinished)
        guard code == 1 || (code == 3 && mayBeRefused) || (code == 0 && coordinatorIsDone) else {
            throw Violation("worker process \(worker.number) ends with code \(code)")
        }
        end(worker, isSeen: generator.chance(0.5))
    }

    private var coordinatorIsDone: Bool {
        // A stop may arrive after the coordinator that sent it has died before its last checkpoint.
        disk.ledger.count == plan.steps || disk.incarnation > 1
    }

    func isBusy(_ worker: WorkerProcess) -> Bool { worker.isBusy(at: now) }

    mutating func arriveAtWorker(_ packet: Packet) throws {
        let worker = workers[packet.process]
        guard worker.isAlive else { return }
        guard packet.connection == worker.data || packet.isLate else { return outlive(packet) { .toWorker($0) } }
        guard !isBusy(worker) else {
            worker.backlog.append(packet.bytes)
            return
        }
        try act(worker.receive(packet.bytes, at: now), of: worker)
    }

    mutating func tickWorker(_ number: Int) throws {
        let worker = workers[number]
        guard worker.isAlive else { return }
        if !isBusy(worker) { try act(worker.tell(.tick, at: now), of: worker) }
        queue.add(.workerTick(number), at: now + plan.workerTick)
    }

    mutating func pingFromWorker(_ number: Int) {
        let worker = workers[number]
        guard worker.isAlive else { return }
        if now >= worker.stalledUntil, let ping = worker.machine.ping {
            send(Packet.frame(ping), from: worker, on: .control, isAnswer: false)
        }
        queue.add(.workerPing(number), at: now + .seconds(1))
    }

    mutating func finishWork(_ number: Int, _ step: UInt64, _ range: ShardRange) throws {
        let worker = workers[number]
        guard worker.isAlive else { return }
        guard now >= worker.stalledUntil else {
            queue.add(.computed(number, step: step, range: range), at: worker.stalledUntil)
            return
        }
        if worker.isDishonest, worker.number >= plan.wrongWorkers {
            let coordinator = coordinator
            worker.lies = { step, subtree in
                coordinator.map { $0.begun == Int(step) && $0.folded[subtree] != nil } ?? false
            }
        }
        try act(worker.finish(step, range, at: now), of: worker)
        try lookAround(worker)
    }

    mutating func wakeWorker(_ number: Int) throws {
        let worker = workers[number]
        guard worker.isAlive else { return }
        try lookAround(worker)
    }

    private mutating func lookAround(_ worker: WorkerProcess) throws {
        while worker.isAlive, !isBusy(worker), !worker.backlog.isEmpty {
            try act(worker.receive(worker.backlog.removeFirst(), at: now), of: worker)
        }
    }

    /// The process is gone; its slot gets another one.
    mutating func end(_ worker: WorkerProcess, isSeen: Bool) {
        worker.isAlive = false
        worker.isRoutable = worker.isRoutable && !isSeen && generator.chance(0.5)
        // What it has sent may still arrive.
        if generator.chance(0.5) { (worker.data, worker.control) = (nil, nil) }
        slots[worker.slot] = nil
        if isSeen { queue.add(.exitSeen(worker.id), at: after(1000...500_000)) }
        queue.add(.workerStarts(slot: worker.slot), at: after(10_000...max(10_000, plan.longest)))
    }
}
