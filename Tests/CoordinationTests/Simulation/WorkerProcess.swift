import Coordination

/// The shell of a simulated worker: what it has stored, and a check of everything the machine asks for.
final class WorkerProcess {
    struct Output {
        var frames: [(bytes: [UInt8], isAnswer: Bool)] = []
        var work: (step: UInt64, range: ShardRange)?
        var exitCode: Int32?
    }

    let number: Int
    let slot: Int
    let id: WorkerID
    let shardTime: Instant
    let isDishonest: Bool
    private let truth: Truth
    private(set) var machine: WorkerMachine

    var isAlive = true
    private(set) var isComputing = false
    var stalledUntil: Instant = 0
    /// What has arrived and is not looked at: there is one thread.
    var backlog: [[UInt8]] = []

    // Connections by their numbers; nil while there is none.
    var data: Int?
    var control: Int?
    /// Whether the coordinator's socket still has somewhere to send to.
    var isRoutable = false
    /// Answers that wait for a connection.
    var waiting: [[UInt8]] = []
    var upCutUntil: Instant = 0
    var downCutUntil: Instant = 0
    var lastUp: Instant = 0
    var lastControl: Instant = 0
    var lastDown: Instant = 0

    /// Whether an answer is to be wrong; asked when it is sent.
    var lies: (UInt64, Subtree) -> Bool = { _, _ in false }

    private var parameters: [UInt8] = []
    private var assignments: [ShardRange: [UInt8]] = [:]
    private var answers: [Subtree: [UInt8]] = [:]

    init(number: Int, slot: Int, id: WorkerID, shardTime: Instant, isDishonest: Bool, truth: Truth) {
        self.number = number
        self.slot = slot
        self.id = id
        self.shardTime = shardTime
        self.isDishonest = isDishonest
        self.truth = truth
        machine = WorkerMachine(
            truth.workerConfiguration(label: isDishonest ? Truth.dishonestLabel : "worker \(number)"))
    }

    func isBusy(at now: Instant) -> Bool { isComputing || now < stalledUntil }

    func receive(_ frame: [UInt8], at now: Instant) throws -> Output {
        switch Packet.decode(frame, receiver: .worker, framing: truth.framing) {
        case .failure(let error): try tell(.undecodable(error), at: now)
        case .success(let message): try tell(.received(message), payload: Packet.payload(frame), at: now)
        }
    }

    func finish(_ step: UInt64, _ range: ShardRange, at now: Instant) throws -> Output {
        isComputing = false
        return try tell(.computed(step: step, range: range), at: now)
    }

    func tell(_ event: WorkerEvent, payload: ArraySlice<UInt8> = [], at now: Instant) throws -> Output {
        var output = Output()
        for directive in machine.handle(event, at: now.duration) {
            guard output.work == nil else { throw fault("\(directive) is asked for behind a computation") }
            try carryOut(directive, payload, into: &output)
        }
        guard machine.load <= 4, assignments.count <= 5, answers.count <= 2 * truth.plan.shards else {
            throw fault("it holds \(machine.load) ranges, \(assignments.count) assignments, \(answers.count) answers")
        }
        return output
    }

    private func carryOut(_ directive: WorkerDirective, _ payload: ArraySlice<UInt8>, into output: inout Output) throws
    {
        switch directive {
        case .send(let message): output.frames.append((Packet.frame(message), false))
        case .welcomed(let welcome, _, _): parameters = Array(repeating: 0, count: Int(welcome.parameterBytes))
        case .storeParameters(let step, let offset, let length):
            guard payload.count == length, offset + length <= parameters.count else {
                throw fault("\(payload.count) bytes of parameters of step \(step) at \(offset) do not fit")
            }
            parameters.replaceSubrange(offset..<offset + length, with: payload)
        case .storeAssignment(let frame):
            guard payload.count == frame.length, frame.offset + frame.length <= frame.total else {
                throw fault("\(payload.count) bytes of an assignment do not fit: \(frame)")
            }
            var stored = assignments[frame.range] ?? Array(repeating: 0, count: frame.total)
            stored.replaceSubrange(frame.offset..<frame.offset + frame.length, with: payload)
            assignments[frame.range] = stored
        case .compute(let step, let range):
            try compute(step, range)
            isComputing = true
            output.work = (step, range)
        case .sendAnswer(let step, let subtree):
            guard var content = answers[subtree] else { throw fault("it has no answer for \(subtree)") }
            if !content.isEmpty, lies(step, subtree) {
                if truth.plan.poisons, (Int(step) + subtree.first) % 2 == 0 {
                    content.replaceSubrange(..<8, with: repeatElement(.max, count: 8))
                } else {
                    content[content.count - 1] ^= 0x10 ^ UInt8(number & 0xF)
                }
            }
            output.frames += Packet.stream(
                .answer, run: machine.run, incarnation: machine.incarnation, step: step, shards: subtree.range,
                content: content, framing: truth.framing
            ).map { ($0, true) }
        case .forget:
            assignments = [:]
            answers = [:]
        case .exit(let code, _): output.exitCode = code
        }
    }

    /// Computes at once; that the result takes its time to be there is the simulation's affair.
    private func compute(_ step: UInt64, _ range: ShardRange) throws {
        guard !isComputing, Int(step) < truth.parameters.count else { throw fault("it computes step \(step) now") }
        guard parameters == truth.parameters[Int(step)] else {
            throw fault("it computes step \(step) with parameters that are not the published ones")
        }
        guard let rows = assignments.removeValue(forKey: range).map(words), rows.count == range.count else {
            throw fault("it computes \(range) of step \(step) without its rows")
        }
        let values = truth.states[Int(step)].parameters
        var tree = ReductionTree(shards: truth.plan.shards, add: SimulatedMathematics.add)
        for (shard, row) in zip(range.shards, rows) {
            try tree.insert(SimulatedMathematics.gradient(of: row, parameters: values), at: .leaf(shard))
        }
        answers = [:]
        for subtree in range.subtrees { answers[subtree] = bytes(of: tree.take(subtree) ?? []) }
    }

    private func fault(_ text: String) -> Violation { Violation("worker process \(number): \(text)") }
}
