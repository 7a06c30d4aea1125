import Coordination

/// The last happenings, for whoever reads a failure.
extension Simulation {
    static let logLimit = 40

    mutating func note(_ happening: Happening) {
        if case .coordinatorTick = happening { return }
        if case .workerTick = happening { return }
        if case .workerPing = happening { return }
        log!.append("\(Double(now) / 1_000_000) s: \(text(of: happening))")
        if log!.count > Simulation.logLimit { log!.removeFirst() }
    }

    private func text(of happening: Happening) -> String {
        switch happening {
        case .toCoordinator(let packet):
            "process \(packet.process) → coordinator: \(text(of: packet, at: .coordinator))"
        case .toWorker(let packet): "coordinator → process \(packet.process): \(text(of: packet, at: .worker))"
        case .lateLedgerLine(_, let line): "ledger line of step \(line.step)"
        default: "\(happening)"
        }
    }

    private func text(of packet: Packet, at receiver: Role) -> String {
        switch Packet.decode(packet.bytes, receiver: receiver, framing: truth.framing) {
        case .failure(let error): "\(error)"
        case .success(let message):
            "\(message.header.kind), incarnation \(message.header.incarnation), step \(message.header.step), "
                + "shards \(message.header.range?.description ?? "none"), at \(message.header.offset)"
        }
    }

    /// Runs one seed; throws with what replays it and what happened last.
    static func run(seed: UInt64, bug: PlantedBug? = nil, plan fixed: FaultPlan? = nil) throws -> Tally {
        var generator = SeededGenerator(seed: seed)
        let plan = fixed ?? FaultPlan.random(using: &generator)
        var simulation = Simulation(plan, seed: generator.next(), bug: bug)
        let begin = simulation
        do { try simulation.runToEnd() } catch {
            // Nothing but the seed decides: the same again, and this time somebody listens.
            var again = begin
            again.log = []
            try? again.runToEnd()
            let log = again.log ?? []
            throw Violation("\(error)\n  \(plan)\n  " + log.joined(separator: "\n  "))
        }
        return simulation.tally
    }
}
