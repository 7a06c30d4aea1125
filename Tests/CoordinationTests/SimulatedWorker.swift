import Coordination

/// The shell of a simulated worker: what it has stored, and a check of everything the machine asks for.
struct SimulatedWorker {
    struct Output {
        var packets: [Packet] = []
        var work: (step: UInt64, range: ShardRange)?
        var exitCode: Int32?
    }

    private struct RangeOfStep: Hashable {
        let step: UInt64
        let range: ShardRange
    }

    let id: WorkerID
    let training: SimulatedTraining
    /// How long one shard takes.
    let shardTime: Duration
    /// Whether messages wait while a range is computed, as on one thread.
    let isSingleThreaded: Bool
    /// Answers are wrong by this; zero for a healthy worker.
    let corruption: UInt64
    private(set) var machine: WorkerMachine
    private(set) var isComputing = false
    var waiting: [Packet] = []

    private var parameterFrames: [UInt64: [Int: UInt64]] = [:]
    private var assignmentFrames: [RangeOfStep: [Int: UInt64]] = [:]
    private var parametersInUse: (step: UInt64, value: UInt64)?

    init(
        id: WorkerID, _ configuration: WorkerConfiguration, training: SimulatedTraining, shardTime: Duration,
        isSingleThreaded: Bool, corruption: UInt64 = 0
    ) {
        self.id = id
        self.training = training
        self.shardTime = shardTime
        self.isSingleThreaded = isSingleThreaded
        self.corruption = corruption
        machine = WorkerMachine(configuration)
    }

    mutating func receive(_ packet: Packet, at now: Duration) throws -> Output {
        if isComputing, isSingleThreaded {
            waiting.append(packet)
            return Output()
        }
        return try tell(.received(packet.message), content: packet.content, at: now)
    }

    mutating func tick(at now: Duration) throws -> Output {
        if isComputing, isSingleThreaded {
            var output = Output()
            if let ping = machine.ping { output.packets.append(try .control(ping)) }
            return output
        }
        return try tell(.tick, at: now)
    }

    mutating func finish(_ range: ShardRange, of step: UInt64, at now: Duration) throws -> Output {
        isComputing = false
        var output = try tell(.computed(step: step, range: range), at: now)
        let arrived = waiting
        waiting = []
        for packet in arrived {
            let more = try receive(packet, at: now)
            output.packets += more.packets
            output.work = more.work ?? output.work
            output.exitCode = more.exitCode ?? output.exitCode
        }
        return output
    }

    mutating func tell(_ event: WorkerEvent, content: UInt64? = nil, at now: Duration) throws -> Output {
        var output = Output()
        for directive in machine.handle(event, at: now) {
            switch directive {
            case .send(let message): output.packets.append(try .control(message))
            case .welcomed: break
            case .storeParameters(let step, let offset, _):
                parameterFrames[step, default: [:]][offset] = content
            case .storeAssignment(let frame):
                let place = RangeOfStep(step: frame.step, range: frame.range)
                assignmentFrames[place, default: [:]][frame.offset] = content
            case .compute(let step, let range):
                guard !isComputing else { throw fault("two computations at once") }
                try take(step, range)
                isComputing = true
                output.work = (step, range)
            case .sendAnswer(let step, let subtree):
                guard let parameters = parametersInUse, parameters.step == step else {
                    throw fault("an answer of step \(step) that was not computed")
                }
                let sum = training.sum(step: step, shards: subtree.shards, parameters: parameters.value)
                output.packets += Packet.stream(
                    .answer, run: machine.run, incarnation: machine.incarnation, step: step, shards: subtree.range,
                    total: Int(Simulation.answerBytes), value: sum.map { $0 &+ corruption })
            case .forget(let step):
                parameterFrames[step] = nil
                assignmentFrames = assignmentFrames.filter { $0.key.step != step }
            case .exit(let code, _): output.exitCode = code
            }
        }
        guard machine.load <= 4, parameterFrames.count <= 1, assignmentFrames.count <= 4 else {
            throw fault("it holds \(parameterFrames.count) steps, \(assignmentFrames.count) assignments")
        }
        return output
    }

    /// Checks that what the machine calls whole is.
    private mutating func take(_ step: UInt64, _ range: ShardRange) throws {
        let frames = parameterFrames[step] ?? [:]
        guard
            frames.count
                == StreamFrames(.parameters, run: .none, incarnation: 0, step: 0, total: Int(Simulation.parameterBytes))
                .count,
            let value = frames[0], frames.values.allSatisfy({ $0 == value })
        else { throw fault("parameters of step \(step) are not whole: \(frames.count) frames") }
        let batch = assignmentFrames.removeValue(forKey: RangeOfStep(step: step, range: range)) ?? [:]
        guard batch == [0: training.batch(step: step, range: range)] else {
            throw fault("assignment \(range) of step \(step) is not whole")
        }
        parametersInUse = (step, value)
    }

    private func fault(_ text: String) -> SimulationFailure {
        SimulationFailure(description: "worker \(id): \(text)")
    }
}
