import Coordination

/// The shell of a simulated coordinator: its tree and buffers, and a check of everything the machine asks for.
struct SimulatedCoordinator {
    struct Output {
        var packets: [(to: WorkerID, packet: Packet)] = []
        var localWork: (step: UInt64, range: ShardRange)?
        var reduced: UInt64?
    }

    private struct Place: Hashable {
        let worker: WorkerID
        let subtree: Subtree
    }

    private struct Buffer {
        var offsets: Set<Int> = []
        var value: UInt64?
        let total: Int
    }

    let training: SimulatedTraining
    let expected: [UInt64]
    private(set) var machine: CoordinatorMachine
    private(set) var parameters: UInt64
    private(set) var step: UInt64
    private var tree: ReductionTree<UInt64>
    private var buffers: [Place: Buffer] = [:]
    private(set) var conflicts: [AnswerConflict] = []

    static let assignmentBytes = frameBytes / 2

    init(_ configuration: CoordinatorConfiguration, training: SimulatedTraining, expected: [UInt64], step: UInt64) {
        machine = CoordinatorMachine(configuration)
        self.training = training
        self.expected = expected
        self.step = step
        parameters = expected[Int(step)]
        tree = ReductionTree(shards: configuration.shards) { $0 = SimulatedTraining.add($0, $1) }
    }

    mutating func begin(at now: Duration) throws -> Output {
        tree.reset()
        let output = try tell(.beginStep(step), at: now)
        guard buffers.isEmpty else { throw fault("\(buffers.count) answer buffers outlive their step") }
        return output
    }

    mutating func finishLocally(_ range: ShardRange, of workStep: UInt64, at now: Duration) throws -> Output {
        guard workStep == step else { throw fault("local work of step \(workStep) ends in step \(step)") }
        for subtree in range.subtrees {
            try tree.insert(training.sum(step: step, shards: subtree.shards, parameters: parameters), at: subtree)
        }
        return try tell(.computedLocally(step: step, range: range), at: now)
    }

    mutating func receive(_ packet: Packet, from worker: WorkerID, at now: Duration) throws -> Output {
        try tell(.received(packet.message, from: worker), content: packet.content, at: now)
    }

    mutating func tell(_ event: CoordinatorEvent, content: UInt64? = nil, at now: Duration) throws -> Output {
        var output = Output()
        try perform(machine.handle(event, at: now), content: content, at: now, into: &output)
        try checkBounds()
        return output
    }

    private mutating func perform(
        _ directives: [CoordinatorDirective], content: UInt64?, at now: Duration, into output: inout Output
    ) throws {
        let run = machine.configuration.run
        let incarnation = machine.configuration.incarnation
        for directive in directives {
            switch directive {
            case .send(let message, let worker): output.packets.append((worker, try .control(message)))
            case .publishParameters(let worker, let step):
                guard step == self.step else { throw fault("parameters of step \(step) asked for") }
                output.packets += Packet.stream(
                    .parameters, run: run, incarnation: incarnation, step: step, shards: nil,
                    total: Int(machine.configuration.parameterBytes), value: parameters
                ).map { (worker, $0) }
            case .assign(let range, let step, let worker):
                guard step == self.step else { throw fault("assignment of step \(step) asked for") }
                output.packets += Packet.stream(
                    .assignment, run: run, incarnation: incarnation, step: step, shards: range,
                    total: SimulatedCoordinator.assignmentBytes, value: training.batch(step: step, range: range)
                ).map { (worker, $0) }
            case .store(let frame):
                let place = Place(worker: frame.worker, subtree: frame.subtree)
                var buffer = buffers[place] ?? Buffer(value: content, total: frame.total)
                guard buffer.offsets.insert(frame.offset).inserted else { throw fault("frame stored twice: \(frame)") }
                guard buffer.value == content, buffer.total == frame.total else { throw fault("mixed answer") }
                buffers[place] = buffer
            case .fold(let step, let subtree, let worker):
                guard let buffer = buffers.removeValue(forKey: Place(worker: worker, subtree: subtree)) else {
                    throw fault("an answer that was not stored is folded: \(subtree)")
                }
                let frames = StreamFrames(
                    .answer, run: run, incarnation: incarnation, step: step, total: buffer.total)
                guard step == self.step, buffer.offsets.count == frames.count else {
                    throw fault("an answer that is not whole is folded: \(subtree)")
                }
                try tree.insert(buffer.value, at: subtree)
                try perform(
                    machine.handle(.folded(step: step, subtree: subtree), at: now), content: nil, at: now,
                    into: &output)
            case .discard(_, let subtree, let worker):
                guard buffers.removeValue(forKey: Place(worker: worker, subtree: subtree)) != nil else {
                    throw fault("a buffer that is not there is discarded: \(subtree) of \(worker)")
                }
            case .stepReduced(let step):
                guard step == self.step, tree.isWhole else { throw fault("step \(step) reduced with a shard missing") }
                parameters = training.updated(parameters, with: tree.takeRoot())
                self.step += 1
                guard parameters == expected[Int(self.step)] else { throw fault("step \(step) has another result") }
                output.reduced = step
            case .computeLocally(let step, let range):
                guard output.localWork == nil else { throw fault("two local ranges at once") }
                output.localWork = (step, range)
            case .conflict(let conflict): conflicts.append(conflict)
            case .refused(let worker, let refusal): throw fault("\(worker) refused: \(refusal.sentence)")
            case .dropped(let worker, let reason): throw fault("\(worker) dropped: \(reason)")
            case .joined, .suspected, .lost, .repeated, .waiting: break
            }
        }
    }

    private func checkBounds() throws {
        let load = machine.load
        let shards = machine.configuration.shards
        guard load.ranges <= 2 * load.members, load.answers <= shards, load.banned <= 64,
            load.partialAnswers <= load.members * shards, load.members <= machine.configuration.maximumWorkers
        else { throw fault("the machine holds too much: \(load)") }
        guard buffers.count <= load.partialAnswers else {
            throw fault("\(buffers.count) buffers for \(load.partialAnswers) answers on their way")
        }
    }

    private func fault(_ text: String) -> SimulationFailure {
        SimulationFailure(description: "coordinator \(machine.configuration.incarnation), step \(step): \(text)")
    }
}
