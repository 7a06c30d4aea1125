import Coordination
import Testing

/// A worker machine with a made-up coordinator, for tests of a few lines.
struct WorkerRig {
    var machine: WorkerMachine
    var now: Duration = .zero

    static let run = RunID(low: 11, high: 12)
    static let parameterBytes = frameBytes + 10

    init() {
        machine = WorkerMachine(
            WorkerConfiguration(
                version: "1.0", fingerprint: Array(repeating: 9, count: 32), label: "host/1", threads: 2))
    }

    mutating func tell(_ event: WorkerEvent, after wait: Duration = .zero) -> [WorkerDirective] {
        now += wait
        return machine.handle(event, at: now)
    }

    mutating func say(_ body: Message.Body, run: RunID = run, incarnation: UInt64 = 5) -> [WorkerDirective] {
        tell(.received(Message(body, run: run, incarnation: incarnation)))
    }

    mutating func welcome(session: UInt64 = 1, run: RunID = run, incarnation: UInt64 = 5) -> [WorkerDirective] {
        let welcome = Welcome(
            session: session, shards: 8, parameterBytes: UInt64(WorkerRig.parameterBytes), answerLimit: 100,
            assignmentLimit: 100, controlEndpoint: "", model: [1])
        return say(.welcome(welcome), run: run, incarnation: incarnation)
    }

    /// Started and welcomed.
    static func registered() -> WorkerRig {
        var rig = WorkerRig()
        _ = rig.tell(.started)
        _ = rig.welcome()
        return rig
    }

    mutating func parameters(step: UInt64, incarnation: UInt64 = 5, total: Int = parameterBytes) -> [WorkerDirective] {
        StreamFrames(.parameters, run: WorkerRig.run, incarnation: incarnation, step: step, total: total)
            .flatMap { tell(.received(Message(header: $0, body: .parameters))) }
    }

    mutating func assignment(_ shards: Range<Int>, step: UInt64, total: Int = 50) -> [WorkerDirective] {
        StreamFrames(
            .assignment, run: WorkerRig.run, incarnation: 5, step: step, shards: ShardRange(shards), total: total
        ).flatMap { tell(.received(Message(header: $0, body: .assignment))) }
    }
}

extension [WorkerDirective] {
    var sent: [MessageKind] {
        compactMap { directive in
            guard case .send(let message) = directive else { return nil }
            return message.header.kind
        }
    }

    var computes: [ShardRange] {
        compactMap { directive in
            guard case .compute(_, let range) = directive else { return nil }
            return range
        }
    }

    var answers: [String] {
        compactMap { directive in
            guard case .sendAnswer(_, let subtree) = directive else { return nil }
            return "\(subtree)"
        }
    }

    /// The ranges that pulls name as done.
    var finished: [ShardRange] {
        compactMap { directive in
            guard case .send(let message) = directive else { return nil }
            return message.header.range
        }
    }
}

@Suite struct WorkerMachineTests {
    @Test func `a worker says hello each second until it is welcomed, then asks for two ranges`() {
        var rig = WorkerRig()
        #expect(rig.tell(.started).sent == [.hello])
        #expect(rig.tell(.tick, after: .milliseconds(900)).isEmpty)
        #expect(rig.tell(.tick, after: .milliseconds(100)).sent == [.hello])
        let welcomed = rig.welcome(session: 2)
        #expect(welcomed.count == 2)
        guard case .send(let pull) = welcomed.last, case .pull(let status) = pull.body else {
            return #expect(Bool(false), "\(welcomed)")
        }
        #expect(status == WorkerStatus(session: 2, wanted: 2, isComputing: false, progress: 0))
        #expect(pull.header.run == WorkerRig.run && pull.header.incarnation == 5)
        #expect(rig.tell(.tick, after: .seconds(1)).sent == [.ping])
    }

    @Test func `a welcome for another hello than the last ones is ignored`() {
        var rig = WorkerRig.registered()
        #expect(rig.welcome(session: 1).isEmpty)
        #expect(rig.welcome(session: 2).isEmpty)
        #expect(rig.machine.counters.stale == [.session: 2])
    }

    @Test func `whoever sends it away again and again hears a hello a second`() {
        var rig = WorkerRig.registered()
        var hellos: UInt64 = 1
        for _ in 0..<100 {
            rig.now += .milliseconds(50)
            guard (rig.say(.register).sent + rig.tell(.tick).sent).contains(.hello) else { continue }
            hellos += 1
            #expect(!rig.welcome(session: hellos).isEmpty)
        }
        #expect(hellos == 6)
    }

    @Test func `a range is computed when its assignment and the step's parameters are whole, whichever is last`() {
        var rig = WorkerRig.registered()
        #expect(rig.assignment(0..<4, step: 3).computes.isEmpty)
        #expect(rig.parameters(step: 3).computes == [ShardRange(0..<4)])

        rig = WorkerRig.registered()
        let stored = rig.parameters(step: 3)
        #expect(
            stored == [
                .storeParameters(step: 3, offset: 0, length: frameBytes),
                .storeParameters(step: 3, offset: frameBytes, length: 10),
            ])
        let assigned = rig.assignment(0..<4, step: 3)
        #expect(assigned.count == 2)
        #expect(assigned.computes == [ShardRange(0..<4)])
    }

    @Test
    func `answers go out subtree by subtree, then a pull that names the range, then the queued range is computed`() {
        var rig = WorkerRig.registered()
        _ = rig.parameters(step: 3)
        _ = rig.assignment(1..<4, step: 3)
        #expect(rig.assignment(6..<8, step: 3).computes.isEmpty)
        let done = rig.tell(.computed(step: 3, range: ShardRange(1..<4)))
        #expect(done.answers == ["[1, 2)", "[2, 4)"])
        #expect(done.sent == [.pull])
        #expect(done.finished == [ShardRange(1..<4)])
        #expect(done.last == .compute(step: 3, range: ShardRange(6..<8)))
        #expect(rig.tell(.computed(step: 3, range: ShardRange(1..<4))).isEmpty)
    }

    @Test func `nothing is taken for a step that has none after it`() {
        var rig = WorkerRig.registered()
        #expect(rig.parameters(step: .max).isEmpty && rig.assignment(0..<4, step: .max).isEmpty)
        #expect(rig.machine.counters.stale == [.step: 3])
        #expect(!rig.parameters(step: .max - 1).isEmpty)
    }

    @Test func `a repeated frame is stored once`() {
        var rig = WorkerRig.registered()
        #expect(rig.parameters(step: 3).count == 2)
        #expect(rig.parameters(step: 3).isEmpty)
        _ = rig.assignment(0..<4, step: 3)
        #expect(rig.assignment(0..<4, step: 3).isEmpty)
        #expect(rig.machine.counters.stale == [.repeatedFrame: 3])
    }

    @Test func `a newer step puts an end to the one before, and what was queued is let go`() {
        var rig = WorkerRig.registered()
        _ = rig.parameters(step: 3)
        _ = rig.assignment(0..<4, step: 3)
        _ = rig.assignment(4..<8, step: 3)
        let next = rig.parameters(step: 4)
        #expect(next.first == .forget(step: 3))
        #expect(next.finished == [ShardRange(4..<8)])
        #expect(rig.assignment(0..<2, step: 4).computes.isEmpty)
        let done = rig.tell(.computed(step: 3, range: ShardRange(0..<4)))
        #expect(done.answers.isEmpty)
        #expect(done.finished == [ShardRange(0..<4)])
        #expect(done.computes == [ShardRange(0..<2)])
    }

    @Test func `work of a step that is over is ignored`() {
        var rig = WorkerRig.registered()
        _ = rig.parameters(step: 3)
        #expect(rig.parameters(step: 2).isEmpty)
        #expect(rig.assignment(0..<4, step: 2).isEmpty)
        #expect(rig.machine.counters.stale == [.step: 3])
    }

    @Test func `a foreign run and an older incarnation are ignored`() {
        var rig = WorkerRig.registered()
        #expect(rig.say(.register, run: RunID(low: 1, high: 1)).isEmpty)
        #expect(rig.say(.stop(reason: ""), run: RunID(low: 1, high: 1)).isEmpty)
        #expect(rig.say(.stop(reason: ""), incarnation: 4).isEmpty)
        #expect(rig.parameters(step: 3, incarnation: 4).isEmpty)
        #expect(rig.machine.counters.stale == [.run: 2, .incarnation: 3])
    }

    @Test func `a higher incarnation makes a worker drop its work and say hello again`() {
        var rig = WorkerRig.registered()
        _ = rig.parameters(step: 3)
        _ = rig.assignment(0..<4, step: 3)
        rig.now += .seconds(1)
        #expect(rig.say(.pong, incarnation: 6) == [.forget(step: 3), .send(rig.hello(2))])
        #expect(rig.tell(.computed(step: 3, range: ShardRange(0..<4))).isEmpty)
        #expect(rig.welcome(session: 2, incarnation: 5).isEmpty)
        #expect(rig.welcome(session: 2, incarnation: 6).sent == [.pull])
        #expect(rig.machine.incarnation == 6)
    }

    @Test func `a coordinator that does not know the worker, and a connection that was lost, bring a new hello`() {
        var rig = WorkerRig.registered()
        rig.now += .seconds(1)
        #expect(rig.say(.register).sent == [.hello])
        #expect(rig.say(.register).isEmpty)
        #expect(rig.welcome(session: 2).sent == [.pull])
        #expect(rig.tell(.reconnected, after: .seconds(1)).sent == [.hello])
    }

    @Test func `after a silence the worker says hello each second, and in the end gives up with a sentence`() {
        var rig = WorkerRig.registered()
        var hellos = 0
        // It is silent for 5 s before the first, and asks for two minutes.
        for _ in 0..<124 { hellos += rig.tell(.tick, after: .seconds(1)).sent.count { $0 == .hello } }
        #expect(hellos == 120)
        #expect(
            rig.tell(.tick, after: .seconds(1)) == [
                .exit(code: 1, sentence: "no word from the coordinator for 125 s")
            ])
        #expect(rig.tell(.tick, after: .seconds(1)).isEmpty)
    }

    @Test func `a worker that was stopped itself asks before it gives up`() {
        var rig = WorkerRig.registered()
        #expect(rig.tell(.tick, after: .seconds(1000)).sent == [.hello])
        #expect(rig.tell(.tick, after: .seconds(1)).sent == [.hello])
        #expect(rig.welcome(session: 3).sent == [.pull])
    }

    @Test func `any word of the coordinator ends the silence`() {
        var rig = WorkerRig.registered()
        for _ in 0..<100 {
            #expect(!rig.tell(.tick, after: .seconds(1)).sent.contains(.hello))
            _ = rig.say(.pong)
        }
    }

    @Test func `a worker for whom there is no room asks again, and gives up when its patience ends`() {
        var rig = WorkerRig()
        _ = rig.tell(.started)
        #expect(rig.say(.refused(Refusal(.full, "no room"))).isEmpty)
        #expect(rig.tell(.tick, after: .seconds(4)).isEmpty)
        #expect(rig.tell(.tick, after: .seconds(1)).sent == [.hello])
        var other = rig
        #expect(other.welcome(session: 2).sent == [.pull])
        #expect(
            rig.tell(.tick, after: .seconds(115)) == [.exit(code: 3, sentence: "refused by the coordinator: no room")])
    }

    @Test
    func
        `a worker that was welcomed goes on trying where a handshake refuses it, and ends with that if it hears nothing else`()
    {
        var rig = WorkerRig.registered()
        #expect(rig.tell(.tick, after: .seconds(5)).sent.contains(.hello))
        #expect(rig.tell(.turnedAway("its key is not admitted")).isEmpty)
        #expect(rig.tell(.tick, after: .seconds(100)).sent == [.hello])
        var other = rig
        #expect(rig.tell(.tick, after: .seconds(20)) == [.exit(code: 3, sentence: "its key is not admitted")])
        #expect(other.welcome(session: 3).sent == [.pull])
        // What was said before counts no more.
        _ = other.tell(.tick, after: .seconds(5))
        let end = other.tell(.tick, after: .seconds(120))
        guard case .exit(code: 1, _)? = end.last else {
            Issue.record("\(end)")
            return
        }
    }

    @Test func `assignments together may be as long as two of the longest`() {
        var rig = WorkerRig.registered()
        _ = rig.assignment(0..<1, step: 0, total: 100)
        _ = rig.assignment(1..<2, step: 0, total: 90)
        #expect(rig.assignment(2..<3, step: 0, total: 11).isEmpty && rig.machine.load == 2)
        #expect(rig.machine.counters.stale[.tooMany] == 1)
        #expect(!rig.assignment(2..<3, step: 0, total: 10).isEmpty && rig.machine.load == 3)
    }

    @Test func `a refusal ends the worker with 3, a stop with 0`() {
        var rig = WorkerRig()
        _ = rig.tell(.started)
        #expect(
            rig.say(.refused(Refusal(.version, "other version"))) == [
                .exit(code: 3, sentence: "refused by the coordinator: other version")
            ])
        rig = WorkerRig.registered()
        let stopped = rig.say(.stop(reason: "done"))
        #expect(stopped.last == .exit(code: 0, sentence: "stopped by the coordinator: done"))
        let goodbyes = stopped.compactMap { directive in
            if case .send(let message) = directive { message.body } else { nil }
        }
        #expect(goodbyes == [.goodbye(reason: "stopped")])
    }

    @Test func `a coordinator of another protocol ends the worker with 3 while it says hello, and is ignored later`() {
        var rig = WorkerRig()
        _ = rig.tell(.started)
        let error = DecodeError(.version, wanted: 1, got: 2)
        #expect(
            rig.tell(.undecodable(error)) == [
                .exit(code: 3, sentence: "the coordinator speaks protocol version 2, this worker 1")
            ])
        rig = WorkerRig.registered()
        #expect(rig.tell(.undecodable(error)).isEmpty)
        #expect(rig.machine.counters.malformed == [.version: 1])
    }

    @Test func `a worker that has to end says goodbye`() {
        var rig = WorkerRig.registered()
        let left = rig.tell(.leave(exitCode: 143, reason: "signal 15"))
        #expect(left.sent == [.goodbye])
        #expect(left.last == .exit(code: 143, sentence: "signal 15"))
    }

    @Test func `streams of another length than the welcome says are not stored`() {
        var rig = WorkerRig.registered()
        #expect(rig.parameters(step: 3, total: WorkerRig.parameterBytes + 1).isEmpty)
        #expect(rig.assignment(0..<4, step: 3, total: 101).isEmpty)
        #expect(rig.assignment(4..<9, step: 3).isEmpty)
        #expect(rig.machine.counters.stale == [.stream: 4])
    }

    @Test func `more ranges than were asked for are not taken`() {
        var rig = WorkerRig.registered()
        for shard in 0..<8 { _ = rig.assignment(shard..<shard + 1, step: 3) }
        #expect(rig.machine.load == 4)
        #expect(rig.machine.counters.stale == [.tooMany: 4])
    }

    @Test func `the ping says whether a range is being computed`() throws {
        var rig = WorkerRig()
        #expect(rig.machine.ping == nil)
        _ = rig.tell(.started)
        _ = rig.welcome()
        _ = rig.parameters(step: 3)
        _ = rig.assignment(0..<4, step: 3)
        guard case .ping(let status) = try #require(rig.machine.ping).body else { return #expect(Bool(false)) }
        #expect(status == WorkerStatus(session: 1, wanted: 2, isComputing: true, progress: 3))
    }
}

extension WorkerRig {
    func hello(_ session: UInt64) -> Message {
        let hello = Hello(
            session: session, version: "1.0", fingerprint: Array(repeating: 9, count: 32), label: "host/1", threads: 2)
        return Message(.hello(hello), run: .none, incarnation: 0)
    }
}
