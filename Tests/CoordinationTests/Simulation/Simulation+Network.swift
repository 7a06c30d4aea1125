import Coordination

/// The network: two connections a worker, each in order unless the plan says otherwise, and what can happen to a frame.
extension Simulation {
    /// Sends one frame to whoever goes by that name; false when nobody can be reached.
    mutating func send(_ frame: [UInt8], to id: WorkerID) -> Bool {
        guard let number = routes[id] else { return false }
        let worker = workers[number]
        guard worker.isRoutable, let connection = worker.data else { return false }
        let packet = Packet(bytes: frame, process: number, channel: .data, connection: connection)
        for (copy, arrival) in travels(packet, &worker.lastDown, cutUntil: worker.downCutUntil) {
            queue.add(.toWorker(copy), at: arrival)
        }
        return true
    }

    mutating func send(
        _ frame: [UInt8], from worker: WorkerProcess, on channel: Packet.Channel = .data, isAnswer: Bool
    ) {
        guard let connection = channel == .data ? worker.data : worker.control else {
            // The real shell tries for a while to get an answer out; all else the machine says again.
            if isAnswer, worker.waiting.count < 64 { worker.waiting.append(frame) }
            return
        }
        let packet = Packet(bytes: frame, process: worker.number, channel: channel, connection: connection)
        let arrivals =
            switch channel {
            case .data: travels(packet, &worker.lastUp, cutUntil: worker.upCutUntil)
            case .control: travels(packet, &worker.lastControl, cutUntil: worker.upCutUntil)
            }
        for (copy, arrival) in arrivals { queue.add(.toCoordinator(copy), at: arrival) }
    }

    /// What becomes of a frame: when it arrives, how often, with which bytes.
    private mutating func travels(
        _ packet: Packet, _ last: inout Instant, cutUntil: Instant
    ) -> [(Packet, Instant)] {
        var copies = 1
        if !isHealed {
            if plan.lostFrames > 0, generator.chance(plan.lostFrames) { return [] }
            if plan.repeatedFrames > 0, generator.chance(plan.repeatedFrames) { copies = 2 }
        }
        var sent = now
        if cutUntil > now {
            guard plan.partitionsHold else { return [] }
            sent = cutUntil
        }
        return (0..<copies).map { _ in
            var packet = packet
            if !isHealed, plan.flippedBits > 0, generator.chance(plan.flippedBits) {
                let bit = Int.random(in: 0..<8 * packet.bytes.count, using: &generator)
                packet.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                countFlip()
            }
            var arrival = sent + draw(plan.latency)
            if !plan.isDisordered || isHealed { arrival = max(arrival, last) }
            arrival += plan.frameTime
            if plan.isDisordered, !isHealed, generator.chance(0.02) { arrival += draw(0...4_000_000) }
            last = max(last, arrival)
            return (packet, arrival)
        }
    }

    mutating func arriveAtCoordinator(_ packet: Packet) throws {
        let worker = workers[packet.process]
        guard packet.connection == (packet.channel == .data ? worker.data : worker.control) || packet.isLate else {
            return outlive(packet) { .toCoordinator($0) }
        }
        try give(.packet(packet, from: worker.id))
    }

    /// A frame whose connection is gone is lost, or held up somewhere on its way.
    mutating func outlive(_ packet: Packet, _ happening: (Packet) -> Happening) {
        guard plan.framesOutlive, !isHealed else { return }
        var packet = packet
        packet.isLate = true
        queue.add(happening(packet), at: after(0...6_000_000))
    }

    mutating func reconnect(_ number: Int) throws {
        let worker = workers[number]
        guard worker.isAlive, coordinator != nil else { return }
        let isNew = worker.data == nil
        if worker.data == nil {
            connections += 1
            worker.data = connections
            worker.isRoutable = true
            (worker.lastUp, worker.lastDown) = (0, 0)
        }
        if worker.control == nil {
            connections += 1
            worker.control = connections
            worker.lastControl = 0
        }
        guard isNew else { return }
        let waiting = worker.waiting
        worker.waiting = []
        for frame in waiting { send(frame, from: worker, isAnswer: true) }
    }

    /// What is on the way is lost; the sockets connect again by themselves.
    mutating func disconnect(_ worker: WorkerProcess, _ channels: [Packet.Channel]) {
        if channels.contains(.data) {
            worker.data = nil
            worker.isRoutable = false
        }
        if channels.contains(.control) { worker.control = nil }
        queue.add(.reconnects(worker.number), at: after(100_000...3_000_000))
    }
}
