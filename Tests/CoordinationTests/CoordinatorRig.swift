import Coordination

/// A coordinator machine with everything about its peers made up, for tests of a few lines.
struct CoordinatorRig {
    var machine: CoordinatorMachine
    var now: Duration = .zero

    static let run = RunID(low: 11, high: 12)
    static let fingerprint = [UInt8](repeating: 9, count: 32)

    static func configuration(shards: Int) -> CoordinatorConfiguration {
        CoordinatorConfiguration(
            run: run, incarnation: 5, shards: shards, version: "1.0", fingerprint: fingerprint, parameterBytes: 100,
            answerLimit: UInt64(3 * frameBytes), assignmentLimit: 1000, model: [42])
    }

    init(shards: Int = 8, change: (inout CoordinatorConfiguration) -> Void = { _ in }) {
        var configuration = CoordinatorRig.configuration(shards: shards)
        change(&configuration)
        machine = CoordinatorMachine(configuration)
    }

    mutating func tell(_ event: CoordinatorEvent, after wait: Duration = .zero) -> [CoordinatorDirective] {
        now += wait
        return machine.handle(event, at: now)
    }

    /// Two workers at work on [4, 8): b is late, a repeats its range.
    static func straggling() -> CoordinatorRig {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        _ = rig.wait(1, hearing: ["a", "b"])
        _ = rig.fold("a", 0..<4)
        return rig
    }

    /// Time passes in which the named workers ping.
    mutating func wait(_ seconds: Int, hearing workers: [WorkerID]) -> [CoordinatorDirective] {
        var directives: [CoordinatorDirective] = []
        for _ in 0..<seconds {
            now += .seconds(1)
            for worker in workers { directives += ping(worker, isComputing: true) }
            directives += tell(.tick)
        }
        return directives
    }

    mutating func say(
        _ body: Message.Body, from worker: WorkerID, run: RunID = run, incarnation: UInt64 = 5, step: UInt64 = 0,
        shards: ShardRange? = nil
    ) -> [CoordinatorDirective] {
        if case .hello = body { return tell(.received(Message(body, run: .none, incarnation: 0), from: worker)) }
        return tell(
            .received(
                Message(body, run: run, incarnation: incarnation, step: step, shards: shards), from: worker))
    }

    mutating func hello(
        _ worker: WorkerID, session: UInt64 = 1, version: String = "1.0", fingerprint: [UInt8] = fingerprint
    ) -> [CoordinatorDirective] {
        let hello = Hello(
            session: session, version: version, fingerprint: fingerprint, label: "host/\(worker)", threads: 1)
        return say(.hello(hello), from: worker)
    }

    mutating func pull(
        _ worker: WorkerID, session: UInt64 = 1, wanted: UInt32 = 2, finished: ShardRange? = nil, step: UInt64 = 0
    ) -> [CoordinatorDirective] {
        let status = WorkerStatus(session: session, wanted: wanted, isComputing: false, progress: 0)
        return say(.pull(status), from: worker, step: finished == nil ? 0 : step, shards: finished)
    }

    mutating func ping(
        _ worker: WorkerID, isComputing: Bool = false, progress: UInt64 = 0
    ) -> [CoordinatorDirective] {
        say(
            .ping(WorkerStatus(session: 1, wanted: 2, isComputing: isComputing, progress: progress)), from: worker)
    }

    /// Hello and first pull.
    mutating func join(_ worker: WorkerID) -> [CoordinatorDirective] {
        hello(worker) + pull(worker)
    }

    /// The frames of one answer; `value` stands for its content.
    static func answer(
        _ shards: Range<Int>, step: UInt64 = 0, value: UInt64 = 1, total: Int = 100, run: RunID = run,
        incarnation: UInt64 = 5
    ) -> [Message] {
        StreamFrames(
            .answer, run: run, incarnation: incarnation, step: step, shards: ShardRange(shards), total: total
        ).map { header in
            var header = header
            header.checksum = value &+ header.offset
            return Message(header: header, body: .answer)
        }
    }

    mutating func answer(
        _ worker: WorkerID, _ shards: Range<Int>, step: UInt64 = 0, value: UInt64 = 1, total: Int = 100
    ) -> [CoordinatorDirective] {
        CoordinatorRig.answer(shards, step: step, value: value, total: total).flatMap {
            tell(.received($0, from: worker))
        }
    }

    /// What the frames of one answer are, all of them here.
    static func assembly(_ shards: Range<Int>, step: UInt64 = 0, value: UInt64 = 1, total: Int = 100) -> StreamAssembly
    {
        do {
            var assembly = try StreamAssembly(total: UInt64(total), limit: UInt64(total))
            for frame in answer(shards, step: step, value: value, total: total) {
                _ = try assembly.accept(frame.header)
            }
            return assembly
        } catch { preconditionFailure("assembly: \(error)") }
    }

    /// The coordinator's own answer is at hand and, where it is asked for, in the tree.
    mutating func computeOwn(_ shards: Range<Int>, step: UInt64 = 0, total: Int = 100) -> [CoordinatorDirective] {
        let subtree = Subtree(first: shards.lowerBound, count: shards.count)!
        let assembly = CoordinatorRig.assembly(shards, step: step, total: total)
        let directives = tell(.computedOwn(step: step, subtree: subtree, assembly))
        guard directives.foldedOwn.contains(subtree) else { return directives }
        return directives + tell(.folded(step: step, subtree: subtree))
    }

    /// A whole answer, and the shell's word that it is in the tree.
    mutating func fold(_ worker: WorkerID, _ shards: Range<Int>, step: UInt64 = 0) -> [CoordinatorDirective] {
        answer(worker, shards, step: step)
            + tell(.folded(step: step, subtree: Subtree(first: shards.lowerBound, count: shards.count)!))
    }
}

extension WorkerID: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) {
        self.init(Array(text.utf8))
    }
}

extension [CoordinatorDirective] {
    /// The ranges that were assigned, in order.
    var assigned: [String] {
        compactMap { directive in
            guard case .assign(let range, _, let worker) = directive else { return nil }
            return "\(worker) \(range)"
        }
    }

    var published: [WorkerID] {
        compactMap { directive in
            guard case .publishParameters(let worker, _) = directive else { return nil }
            return worker
        }
    }

    var folded: [String] {
        compactMap { directive in
            guard case .fold(_, let subtree, let worker) = directive else { return nil }
            return "\(worker) \(subtree)"
        }
    }

    var discarded: [String] {
        compactMap { directive in
            guard case .discard(_, let subtree, let worker) = directive else { return nil }
            return "\(worker) \(subtree)"
        }
    }

    var stored: [AnswerFrame] {
        compactMap { directive in
            guard case .store(let frame) = directive else { return nil }
            return frame
        }
    }

    var local: [ShardRange] {
        compactMap { directive in
            guard case .computeLocally(_, let range) = directive else { return nil }
            return range
        }
    }

    var own: [Subtree] {
        compactMap { directive in
            guard case .computeOwn(_, let subtree) = directive else { return nil }
            return subtree
        }
    }

    var foldedOwn: [Subtree] {
        compactMap { directive in
            guard case .foldOwn(_, let subtree) = directive else { return nil }
            return subtree
        }
    }

    var conflicts: [AnswerConflict] {
        compactMap { directive in
            guard case .conflict(let conflict) = directive else { return nil }
            return conflict
        }
    }

    var sent: [Message.Body] {
        compactMap { directive in
            guard case .send(let message, _) = directive else { return nil }
            return message.body
        }
    }

    var refusals: [Refusal.Code] {
        sent.compactMap { body in
            guard case .refused(let refusal) = body else { return nil }
            return refusal.code
        }
    }

    var losses: [LossReason] {
        compactMap { directive in
            guard case .lost(_, let reason) = directive else { return nil }
            return reason
        }
    }

    /// How long it was said that nothing has come.
    var notices: [Duration] {
        compactMap { directive in
            guard case .waiting(let duration) = directive else { return nil }
            return duration
        }
    }

    var drops: [WorkerID] {
        compactMap { directive in
            guard case .dropped(let worker, _) = directive else { return nil }
            return worker
        }
    }
}
