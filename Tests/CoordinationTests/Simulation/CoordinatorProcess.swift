import Coordination

/// The shell of a simulated coordinator: its tree and buffers, and a check of everything the machine asks for.
final class CoordinatorProcess {
    struct Output {
        var sends: [(to: WorkerID, frame: [UInt8])] = []
        var local: ShardRange?
        var own: Subtree?
        var isReduced = false
        var conflicts: [AnswerConflict] = []
    }

    private struct Place: Hashable {
        let worker: WorkerID
        let subtree: Subtree
    }

    /// What the one thread does when it is free again.
    enum Continuation {
        case lookAround
        case finishLocally(ShardRange)
        case finishOwn(Subtree)
        case update
        case appendToLedger
    }

    private let truth: Truth
    let incarnation: UInt64
    private(set) var machine: CoordinatorMachine
    private(set) var step: Int
    /// The step that the machine is told of; one behind from the update on.
    private(set) var begun = 0
    private(set) var state: SimulatedMathematics.State
    private(set) var root: [UInt64]?
    /// What the ledger is to hold of the step that was made last.
    var line: SimulatedMathematics.LedgerLine?

    // The one thread.
    var busySince: Instant = 0
    var busyUntil: Instant = 0
    var continuation = Continuation.lookAround
    var backlog: [Input] = []
    var stalledUntil: Instant = 0

    // The checkpoint being written by the other one, and how far it is.
    var writing: (checkpoint: SimulatedDisk.Checkpoint, done: Int)?
    var waitsForWriter = false

    private var tree: ReductionTree<[UInt64]>
    private var counted: Set<Int> = []
    private var buffers: [Place: [UInt8]] = [:]
    /// The answers that count, as they arrived.
    private(set) var folded: [Subtree: [UInt8]] = [:]
    private var reported: Set<Place> = []
    /// What was computed here to decide between answers.
    private var own: (subtree: Subtree, content: [UInt8])?
    private var published: [[UInt8]] = []
    /// Which process is behind a name on the roster.
    private var processes: [WorkerID: Int] = [:]
    private var dishonest: Set<WorkerID> = []
    private var outvoted: Set<WorkerID> = []
    /// Wrong answers that were whole and let go of since the last event, for subtrees that count only when two agree.
    private var refuted: [Place] = []
    /// How many bytes have come of an answer that is in a buffer.
    private var received: [Place: Int] = [:]
    /// Whether a wrong answer is in the tree, and whether one is in the step that was reduced last.
    private var hasWrongAnswer = false
    private(set) var isTainted = false
    /// What is to be computed here when the thread is free, for the sum and to decide between answers.
    var wantedLocal: ShardRange?
    var wantedOwn: Subtree?

    enum Input {
        case packet(Packet, from: WorkerID)
        case tick
        case exited(WorkerID)
    }

    init(_ truth: Truth, incarnation: UInt64, step: Int, state: SimulatedMathematics.State) {
        self.truth = truth
        self.incarnation = incarnation
        self.step = step
        self.state = state
        machine = CoordinatorMachine(truth.coordinatorConfiguration(incarnation: incarnation))
        tree = truth.emptyTree()
    }

    func begin(at now: Instant) throws -> Output {
        tree = truth.emptyTree()
        begun = step
        (wantedLocal, wantedOwn) = (nil, nil)
        hasWrongAnswer = false
        counted = []
        folded = [:]
        reported = []
        guard state.parameters == truth.states[step].parameters else {
            throw fault("other parameters than the fault-free ones are published")
        }
        published = Packet.stream(
            .parameters, run: truth.run, incarnation: incarnation, step: UInt64(step), shards: nil,
            content: bytes(of: state.parameters), framing: truth.framing)
        let output = try tell(.beginStep(UInt64(step)), at: now)
        guard buffers.isEmpty else { throw fault("\(buffers.count) answer buffers outlive their step") }
        received = [:]
        return output
    }

    func take(_ input: Input, at now: Instant) throws -> Output {
        switch input {
        case .packet(let packet, let worker): try receive(packet, from: worker, at: now)
        case .tick: try tell(.tick, at: now)
        case .exited(let worker): try tell(.workerExited(worker), at: now)
        }
    }

    func finishLocally(_ range: ShardRange, at now: Instant) throws -> Output {
        let rows = truth.mathematics.batch(step: UInt64(step), range: range)
        var part = ReductionTree(shards: truth.plan.shards, add: SimulatedMathematics.add)
        for (shard, row) in zip(range.shards, rows) {
            try part.insert(SimulatedMathematics.gradient(of: row, parameters: state.parameters), at: .leaf(shard))
        }
        for subtree in range.subtrees { try insert(part.take(subtree), at: subtree) }
        return try tell(.computedLocally(step: UInt64(step), range: range), at: now)
    }

    /// Computes a subtree as a worker would.
    func finishOwn(_ subtree: Subtree, at now: Instant) throws -> Output {
        let content = right(subtree)
        own = (subtree, content)
        let frames = StreamFrames(
            .answer, run: truth.run, incarnation: incarnation, step: UInt64(step), shards: subtree.range,
            total: content.count, framing: truth.framing)
        let assembly = unsafe StreamAssembly(of: frames, bytes: content.span.bytes)
        return try tell(.computedOwn(step: UInt64(step), subtree: subtree, assembly), at: now)
    }

    /// Says that the sum is not finite, where that may be a worker's doing; nil where it is finite.
    func doubtSum(at now: Instant) throws -> Output? {
        guard truth.plan.doubtsSums, machine.hasUncertainAnswers, isTainted || step % 3 == 0 else { return nil }
        return try tell(.nonFiniteSum(step: UInt64(step)), at: now)
    }

    /// Makes the step's update and says what the ledger is to hold of it.
    func update(after head: UInt64) -> SimulatedMathematics.LedgerLine {
        state = SimulatedMathematics.updated(state, with: root)
        let line = SimulatedMathematics.line(step: step, root: root, state: state, after: head)
        step += 1
        return line
    }

    func tell(
        _ event: CoordinatorEvent, payload: ArraySlice<UInt8> = [], at now: Instant
    ) throws -> Output {
        var output = Output()
        refuted = []
        try carryOut(machine.handle(event, at: now.duration), payload, at: now, into: &output)
        // Whatever lets go of an answer without settling who is right has it computed again.
        for place in refuted where folded[place.subtree] != nil && !outvoted.contains(place.worker) {
            throw fault("\(place.worker) was wrong about \(place.subtree), and is not outvoted")
        }
        try checkBounds()
        return output
    }

    private func receive(_ packet: Packet, from worker: WorkerID, at now: Instant) throws -> Output {
        switch Packet.decode(packet.bytes, receiver: .coordinator, framing: truth.framing) {
        case .failure(let error): return try tell(.undecodable(error, from: worker), at: now)
        case .success(let message):
            let passedOver = machine.counters.passedOver
            if case .hello = message.body { sender = packet.process }
            let output = try tell(
                .received(message, from: worker), payload: Packet.payload(packet.bytes), at: now)
            if machine.counters.passedOver == passedOver { try checkTaken(message, packet, from: worker) }
            return output
        }
    }

    /// The process whose hello is being looked at.
    private var sender = 0

    /// Checks a message that the machine has made something of.
    private func checkTaken(_ message: Message, _ packet: Packet, from worker: WorkerID) throws {
        if case .hello = message.body { return }
        let header = message.header
        guard header.incarnation == incarnation else {
            throw fault("a \(header.kind) of incarnation \(header.incarnation) is taken")
        }
        if let process = processes[worker], process != packet.process {
            throw fault("a \(header.kind) of process \(packet.process) is taken for one of process \(process)")
        }
        guard header.kind == .answer, header.step == UInt64(begun), let subtree = header.subtree else { return }
        // With audits a difference is settled when the answer is whole.
        guard truth.plan.auditShare == 0 else { return }
        guard let first = folded[subtree], !reported.contains(Place(worker: worker, subtree: subtree)) else { return }
        let begin = Int(header.offset)
        guard begin + Int(header.length) <= first.count,
            Packet.payload(packet.bytes).elementsEqual(first[begin..<begin + Int(header.length)])
        else { throw fault("an answer for \(subtree) that differs from the first one is passed over") }
    }

    private func carryOut(
        _ directives: [CoordinatorDirective], _ payload: ArraySlice<UInt8>, at now: Instant,
        into output: inout Output
    ) throws {
        for directive in directives {
            switch directive {
            case .send(let message, let worker): output.sends.append((worker, Packet.frame(message)))
            case .publishParameters(let worker, let step):
                guard Int(step) == self.step else { throw fault("parameters of step \(step) are asked for") }
                for frame in published { output.sends.append((worker, frame)) }
            case .assign(let range, let step, let worker): try assign(range, step, to: worker, into: &output)
            case .store(let frame): try store(frame, payload)
            case .fold(let step, let subtree, let worker):
                guard Int(step) == self.step else { throw fault("an answer of step \(step) is folded") }
                guard let content = buffers.removeValue(forKey: Place(worker: worker, subtree: subtree)) else {
                    throw fault("an answer for \(subtree) that has not been stored is folded")
                }
                received[Place(worker: worker, subtree: subtree)] = nil
                if content.starts(with: repeatElement(.max, count: 8)) {
                    try carryOut(
                        machine.handle(.nonFinite(step: step, subtree: subtree, part: "it"), at: now.duration), payload,
                        at: now, into: &output)
                    continue
                }
                try check(content, for: subtree, of: worker)
                try insert(content.isEmpty ? nil : words(of: content), at: subtree)
                folded[subtree] = content
                try carryOut(
                    machine.handle(.folded(step: step, subtree: subtree), at: now.duration), payload, at: now,
                    into: &output)
            case .discard(_, let subtree, let worker):
                let place = Place(worker: worker, subtree: subtree)
                guard let content = buffers.removeValue(forKey: place) else {
                    throw fault("a buffer that is not there is discarded: \(subtree) of \(worker)")
                }
                let isWhole = received.removeValue(forKey: place) == content.count
                if isWhole, begun == step, machine.isAudited(subtree), content != right(subtree) {
                    refuted.append(place)
                }
            case .stepReduced(let step):
                guard Int(step) == self.step, counted.count == truth.plan.shards, tree.isWhole else {
                    throw fault("step \(step) is reduced with \(counted.count) of \(truth.plan.shards) shards")
                }
                root = tree.root
                isTainted = hasWrongAnswer
                output.isReduced = true
            case .computeLocally(let step, let range):
                guard Int(step) == self.step, output.local == nil else { throw fault("\(range) is computed now") }
                output.local = range
            case .computeOwn(let step, let subtree):
                guard Int(step) == self.step, output.own == nil else { throw fault("\(subtree) is computed now") }
                output.own = subtree
            case .foldOwn(let step, let subtree):
                guard Int(step) == self.step, let own, own.subtree == subtree else {
                    throw fault("an answer for \(subtree) that has not been computed here is folded")
                }
                self.own = nil
                try insert(own.content.isEmpty ? nil : words(of: own.content), at: subtree)
                folded[subtree] = own.content
                try carryOut(
                    machine.handle(.folded(step: step, subtree: subtree), at: now.duration), payload, at: now,
                    into: &output)
            case .discardOwn: own = nil
            case .restartStep(let step):
                guard Int(step) == self.step else { throw fault("step \(step) is begun anew") }
                tree = truth.emptyTree()
                counted = []
                folded = [:]
                hasWrongAnswer = false
            case .outvoted(let worker, _, _):
                guard dishonest.contains(worker) else {
                    throw fault("\(worker) is outvoted, which computes as it should")
                }
                outvoted.insert(worker)
                processes[worker] = nil
            case .joined(let worker, let hello):
                guard !outvoted.contains(worker) else { throw fault("\(worker) was outvoted, and is taken in again") }
                processes[worker] = sender
                if hello.label == Truth.dishonestLabel { dishonest.insert(worker) }
            case .conflict(let conflict):
                reported.insert(Place(worker: conflict.second, subtree: conflict.subtree))
                output.conflicts.append(conflict)
            case .lost(let worker, let reason): if reason != .restarted { processes[worker] = nil }
            case .dropped(let worker, let reason):
                guard truth.plan.flippedBits > 0 || dishonest.contains(worker) else {
                    throw fault("\(worker) is dropped: \(reason)")
                }
                processes[worker] = nil
            case .refused(let worker, let refusal):
                guard
                    truth.plan.flippedBits > 0 || worker == Simulation.stranger
                        || refusal.code == .full && truth.plan.hasNoSpareRoom
                else {
                    throw fault("\(worker) is refused: \(refusal.sentence)")
                }
                processes[worker] = nil
            case .suspected, .repeated, .waiting, .distrusted: break
            }
        }
    }

    private func assign(_ range: ShardRange, _ step: UInt64, to worker: WorkerID, into output: inout Output) throws {
        guard Int(step) == self.step else { throw fault("an assignment of step \(step) is asked for") }
        let content = bytes(of: truth.mathematics.batch(step: step, range: range))
        for frame in Packet.stream(
            .assignment, run: truth.run, incarnation: incarnation, step: step, shards: range, content: content,
            framing: truth.framing)
        { output.sends.append((worker, frame)) }
    }

    private func store(_ frame: AnswerFrame, _ payload: ArraySlice<UInt8>) throws {
        let place = Place(worker: frame.worker, subtree: frame.subtree)
        var buffer = buffers[place] ?? Array(repeating: 0, count: frame.total)
        guard payload.count == frame.length, frame.total == buffer.count, frame.offset + frame.length <= buffer.count
        else { throw fault("\(payload.count) bytes do not fit: \(frame)") }
        buffer.replaceSubrange(frame.offset..<frame.offset + frame.length, with: payload)
        buffers[place] = buffer
        received[place, default: 0] += frame.length
    }

    /// What a worker that computes as it should answers for a subtree of the step.
    private func right(_ subtree: Subtree) -> [UInt8] {
        let rows = truth.mathematics.batch(step: UInt64(step), range: subtree.range)
        var part = ReductionTree(shards: truth.plan.shards, add: SimulatedMathematics.add)
        do {
            for (shard, row) in zip(subtree.shards, rows) {
                try part.insert(SimulatedMathematics.gradient(of: row, parameters: state.parameters), at: .leaf(shard))
            }
        } catch { preconditionFailure("right: \(error)") }
        return bytes(of: part.take(subtree) ?? [])
    }

    /// A wrong answer counts only where it was one worker's alone that lies, and nobody was to be asked twice.
    private func check(_ content: [UInt8], for subtree: Subtree, of worker: WorkerID) throws {
        guard truth.plan.wrongWorkers > 0 || truth.plan.auditShare > 0 else { return }
        guard !outvoted.contains(worker) else { throw fault("an answer of \(worker) counts, which was outvoted") }
        guard content != right(subtree) else { return }
        guard truth.plan.letsLiesSlip, dishonest.contains(worker) else {
            throw fault("a wrong answer of \(worker) for \(subtree) counts")
        }
        guard !machine.isAudited(subtree) else {
            throw fault("a wrong answer of \(worker) for \(subtree) counts, which was to be computed twice")
        }
        hasWrongAnswer = true
    }

    private func insert(_ sum: [UInt64]?, at subtree: Subtree) throws {
        for shard in subtree.shards where !counted.insert(shard).inserted { throw fault("shard \(shard) counts twice") }
        guard sum.map({ $0.count == truth.plan.words }) ?? true else {
            throw fault("a sum of \(sum?.count ?? 0) words for \(subtree)")
        }
        try tree.insert(sum, at: subtree)
    }

    private func checkBounds() throws {
        let load = machine.load
        guard load.ranges <= 2 * load.members, load.answers <= truth.plan.shards, load.banned <= 64,
            load.partialAnswers <= load.members * truth.plan.shards,
            load.members <= machine.configuration.maximumWorkers
        else { throw fault("the machine holds too much: \(load)") }
        guard buffers.count <= load.partialAnswers + load.held else {
            throw fault("\(buffers.count) buffers for \(load.partialAnswers) answers on their way, \(load.held) held")
        }
    }

    func fault(_ text: String) -> Violation { Violation("coordinator \(incarnation), step \(step): \(text)") }
}

extension CoordinatorCounters {
    /// Messages that changed nothing.
    var passedOver: Int { stale.values.reduce(0, +) }
}
