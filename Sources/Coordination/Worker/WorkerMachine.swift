/// A worker's side of the protocol as a value: events in, directives out; no socket, no clock, no file.
///
/// A worker holds nothing that cannot be sent again. It says hello until it is welcomed, asks for two ranges (one to
/// compute, one on its way), computes each when that step's parameters are whole, and answers subtree by subtree. When
/// the coordinator does not know it, is silent, or has started anew, it drops its work and says hello again.
///
/// Instants are durations since any fixed moment of a clock that never goes back.
package struct WorkerMachine: Sendable {
    package let configuration: WorkerConfiguration
    package internal(set) var counters = WorkerCounters()
    /// The run it takes part in; `none` before the first welcome.
    package private(set) var run = RunID.none
    package private(set) var incarnation: UInt64 = 0

    private enum Phase: Equatable {
        case greeting
        case registered
        case over
    }

    private var phase = Phase.greeting
    /// The hello that was sent last, and the one that was welcomed last.
    private var session: UInt64 = 0
    private var welcomedSession: UInt64 = 0
    var welcome: Welcome?
    private var lastHeard: Duration = .zero
    /// Since when it says hello in vain. A process that was stopped itself has not been waiting all the while.
    private var askingSince: Duration = .zero
    private var lastHello: Duration = .zero
    private var lastPing: Duration = .zero
    /// What the coordinator said when it had no room; it may have some when it has noticed who is lost.
    private var roomRefusal: String?
    /// What was last said to its connections in their handshakes, if nothing else was heard since.
    private var rebuff: String?

    var work = WorkAtHand()
    var progress: UInt64 = 0
    private var now: Duration = .zero
    var directives: [WorkerDirective] = []

    /// How many ranges it asks for: one to compute, one on its way meanwhile.
    static let wantedRanges: UInt32 = 2

    package init(_ configuration: WorkerConfiguration) {
        self.configuration = configuration
    }

    /// Whether the coordinator has said that it has no room, and may say so until this worker gives up.
    package var isRefused: Bool { roomRefusal != nil }

    /// Takes one event in and says what is to be done, in order.
    package mutating func handle(_ event: WorkerEvent, at instant: Duration) -> [WorkerDirective] {
        now = max(now, instant)
        defer { directives = [] }
        guard phase != .over else { return [] }
        switch event {
        case .started:
            lastHeard = now
            askingSince = now
            sayHello()
        case .received(let message): receive(message)
        case .undecodable(let error): receiveMalformed(error)
        case .computed(let step, let range): computed(step, range)
        case .reconnected: startOver()
        case .turnedAway(let sentence): rebuff = sentence
        case .leave(let code, let reason):
            if phase == .registered { send(.goodbye(reason: reason)) }
            exit(code, reason)
        case .tick: tick()
        }
        return directives
    }

    package var isRegistered: Bool { phase == .registered }

    /// Since when it has asked for a welcome and heard nothing; nil while it is welcome.
    package var unansweredSince: Duration? { phase == .greeting ? max(lastHeard, askingSince) : nil }

    /// The ping of this moment, for a thread that keeps sending it while a range is computed; nil before the welcome.
    package var ping: Message? {
        phase == .registered ? Message(.ping(status), run: run, incarnation: incarnation) : nil
    }

    /// What this worker says when it has to end at once; nil before the welcome.
    package var goodbye: Message? {
        phase == .registered
            ? Message(.goodbye(reason: "stopped by a signal"), run: run, incarnation: incarnation) : nil
    }

    /// How much the machine holds, for those who check that it does not grow.
    package var load: Int { work.ranges.count }

    private var status: WorkerStatus {
        WorkerStatus(
            session: welcomedSession, wanted: WorkerMachine.wantedRanges, isComputing: work.computing != nil,
            progress: progress)
    }

    private mutating func receive(_ message: Message) {
        let header = message.header
        switch message.body {
        case .welcome(let welcome): return receiveWelcome(welcome, header)
        // Before the first welcome there is no run to compare with: it is the reply to this worker's hello.
        case .refused(let refusal) where isFromOwnRun(header) || run == .none:
            return receiveRefusal(refusal)
        case .stop(let reason) where isFromOwnRun(header) || run == .none:
            send(.goodbye(reason: "stopped"))
            return exit(0, "stopped by the coordinator: \(reason)")
        default: break
        }

        guard header.run == run else { return countStale(.run) }
        guard header.incarnation >= incarnation || configuration.framing.planted.contains(.acceptStaleIncarnation)
        else {
            return countStale(.incarnation)
        }
        lastHeard = now
        rebuff = nil
        if header.incarnation > incarnation {
            incarnation = header.incarnation
            return startOver()
        }
        guard phase == .registered else { return countStale(.unregistered) }
        switch message.body {
        case .parameters: receiveParameters(header)
        case .assignment: receiveAssignment(header)
        case .register: startOver()
        case .hello, .pull, .answer, .goodbye, .ping, .welcome, .refused, .pong, .stop: break
        }
    }

    private func isFromOwnRun(_ header: Header) -> Bool {
        header.run == run && header.incarnation >= incarnation
    }

    private mutating func receiveRefusal(_ refusal: Refusal) {
        guard refusal.code == .full else { return exit(3, "refused by the coordinator: \(refusal.sentence)") }
        if phase == .greeting { roomRefusal = refusal.sentence }
    }

    private mutating func receiveWelcome(_ welcome: Welcome, _ header: Header) {
        guard welcome.session > welcomedSession, welcome.session <= session else { return countStale(.session) }
        guard header.run != run || header.incarnation >= incarnation else { return countStale(.incarnation) }
        forgetWork()
        run = header.run
        incarnation = header.incarnation
        welcomedSession = welcome.session
        self.welcome = welcome
        phase = .registered
        (roomRefusal, rebuff) = (nil, nil)
        lastHeard = now
        lastPing = now
        directives.append(.welcomed(welcome, run: run, incarnation: incarnation))
        send(.pull(status))
    }

    private mutating func receiveMalformed(_ error: DecodeError) {
        counters.malformed[error.code, default: 0] += 1
        guard error.code == .version, phase == .greeting else { return }
        exit(3, "the coordinator speaks protocol version \(error.got), this worker \(error.wanted)")
    }

    private mutating func tick() {
        let silence = now - lastHeard
        switch phase {
        case .greeting where now - askingSince >= configuration.patience:
            if let rebuff { return exit(3, rebuff) }
            if let roomRefusal { return exit(3, "refused by the coordinator: \(roomRefusal)") }
            exit(1, "no word from the coordinator for \(silence.components.seconds) s")
        case .greeting
        where now - lastHello >= (roomRefusal == nil ? configuration.helloInterval : configuration.silentAfter):
            sayHello()
        case .registered where silence >= configuration.silentAfter: startOver()
        case .registered where now - lastPing >= configuration.pingInterval:
            lastPing = now
            send(.ping(status))
        case .greeting, .registered, .over: break
        }
    }

    /// Drops all work and says hello: at once, or when the last is long enough ago. Each is a welcome that whoever is there may send.
    private mutating func startOver() {
        forgetWork()
        if phase == .registered { askingSince = now }
        phase = .greeting
        if now - lastHello >= configuration.helloInterval { sayHello() }
    }

    private mutating func sayHello() {
        session += 1
        lastHello = now
        counters.hellos += 1
        let hello = Hello(
            session: session, version: configuration.version, fingerprint: configuration.fingerprint,
            label: configuration.label, threads: configuration.threads)
        directives.append(.send(Message(.hello(hello), run: .none, incarnation: 0)))
    }

    private mutating func exit(_ code: Int32, _ sentence: String) {
        phase = .over
        directives.append(.exit(code: code, sentence: sentence))
    }

    private mutating func send(_ body: Message.Body) {
        directives.append(.send(Message(body, run: run, incarnation: incarnation)))
    }

    /// Asks for the next range in place of one that is done or let go.
    mutating func pull(insteadOf range: ShardRange, step: UInt64) {
        directives.append(
            .send(Message(.pull(status), run: run, incarnation: incarnation, step: step, shards: range)))
    }

    mutating func countStale(_ reason: WorkerCounters.Stale) {
        counters.stale[reason, default: 0] += 1
    }
}
