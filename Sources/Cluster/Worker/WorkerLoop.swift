internal import Coordination
internal import Foundation
package import Messaging
internal import TensorCore
internal import Tracing
package import Training

/// Owns a worker's socket and clock: receives, computes, sends, on one thread. It holds no data set and no configuration: both arrive.
package final class WorkerLoop {
    private let endpoint: Endpoint
    private var identity: PeerIdentity
    private let keys: WorkerKeys?
    /// The process that this one ends with; nil for a worker that was started by hand.
    private let parent: Int32?
    private let note: @Sendable (String) -> Void
    private let memory: WorkerMemory?

    private var machine: WorkerMachine
    private let makeModel: WorkerModelMaker
    private var model: (any WorkerModel)?
    private var modelBytes: [UInt8] = []
    private var run = RunID.none
    private var incarnation: UInt64 = 0

    /// Where the parameters of `arrivingStep` are arriving, or have arrived.
    private var parameters: Storage?
    private var arrivingStep: UInt64?
    private var parameterCount = 0
    /// The step whose parameters the model holds, and whether it reads the forms that the coordinator packed.
    private var loadedStep: UInt64?
    private var readsShared = false
    private var assignments: [ShardRange: AssignmentPieces] = [:]
    private var answers: [SubtreeAnswer] = []
    private var payload: ArrivedPayload?
    private var liveness: LivenessThread?
    private var ending: (code: Int32, sentence: String)?
    private let clock = ContinuousClock()
    private let begun: ContinuousClock.Instant
    private var isWaiting: Bool
    /// Whether a message has come over the connection at hand.
    private var hasHeard = false
    /// How long a connection may bring no word before another is made.
    private let reconnectsAfter: Duration

    /// - Parameters:
    ///   - keys: who this is and whom it trusts; nil where only this machine can connect.
    ///   - identity: a name of at least one byte, fresh for each start; its first byte is not zero.
    ///   - memory: what is shared with a coordinator that started this worker.
    ///   - reconnectsAfter: how long a connection over TCP may bring no word, and no welcome, before another is made under another
    ///     name. The system itself tries a broken line again at moments that are ever further apart, up to two minutes.
    ///   - makeModel: from what the coordinator says of the model.
    ///   - note: takes sentences for people.
    package init(
        connectingTo endpoint: Endpoint, identity: [UInt8], keys: WorkerKeys?, parent: Int32?,
        memory: WorkerMemory? = nil, reconnectsAfter: Duration = .seconds(10), makeModel: @escaping WorkerModelMaker,
        note: @escaping @Sendable (String) -> Void
    ) {
        self.endpoint = endpoint
        self.reconnectsAfter = reconnectsAfter
        isWaiting = parent == nil
        self.makeModel = makeModel
        self.identity = PeerIdentity(identity)
        self.keys = keys
        self.parent = parent
        self.note = note
        self.memory = memory
        let host = ProcessInfo.processInfo.hostName
        machine = WorkerMachine(
            WorkerConfiguration(
                version: Release.version, fingerprint: NumericsFingerprint.measure().bytes,
                label: "\(host):\(ProcessInfo.processInfo.processIdentifier)", threads: 1))
        begun = clock.now
    }

    /// A name of its own for each start of a worker, and for each connection: the coordinator may not know yet that the one before
    /// is gone, and of two equal names the second is silently mute.
    package static func freshName() -> [UInt8] { [UInt8(ascii: "W")] + (0..<15).map { _ in UInt8.random(in: 0...255) } }

    /// Works until the coordinator says that it is over, or nothing more can be done.
    ///
    /// - Returns: the exit code and the last line.
    package func run(in context: Context) throws -> (code: Int32, sentence: String) {
        FloatingPointEnvironment.prepareThread()
        defer { liveness?.stop() }
        var event = WorkerEvent.started
        while ending == nil {
            try work(on: Socket(.dealer, in: context, options: options), in: context, beginningWith: event)
            guard ending == nil else { break }
            if run != .none { note("no word from the coordinator; connecting anew") }
            liveness?.stop()
            liveness = nil
            identity = PeerIdentity(Self.freshName())
            event = .reconnected
        }
        return ending ?? (1, "ended")
    }

    private var options: SocketOptions {
        var options = SocketOptions.data(frameBytes: frameBytes, identity: identity)
        options.security = keys?.security
        // What lies in shared memory takes a header: a whole answer is handed over without waiting for room.
        if memory != nil { options.sendHighWater = 1024 }
        return options
    }

    /// Works until this worker is over, or its connection brings nothing any more.
    private func work(on socket: consuming Socket, in context: Context, beginningWith event: WorkerEvent) throws {
        let bounds = ConnectionGuard(.worker)
        try bounds.watch(socket, isEncrypted: keys != nil, tells: true)
        try bounds.start(in: context)
        hasHeard = false
        var cuts = CutNotice("the connection to \(endpoint)")
        var handshake = HandshakeWatch(endpoint: endpoint, hasKeys: keys != nil, isChild: parent != nil)
        try socket.connect(endpoint)
        let connected = clock.now - begun
        try perform(event, socket, context)
        var lastTick = clock.now
        while ending == nil {
            let isDue = clock.now - begun > .seconds(2) && !handshake.isUndecided(at: clock.now - begun)
            if isWaiting, machine.isRegistered || (isDue && !machine.isRefused) {
                isWaiting = false
                if !machine.isRegistered { note("waiting for a coordinator at \(endpoint)") }
            }
            let arrived = try Trace.span(.wait) { try socket.receive(within: .milliseconds(100), maximumFrames: 4) }
            if let arrived { try take(arrived, socket, context) }
            if clock.now - lastTick > .milliseconds(100) {
                lastTick = clock.now
                (handshake.isEstablished, handshake.hasHeard) = (run != .none, hasHeard)
                for event in bounds.takeEvents() { handshake.note(event, at: lastTick - begun) }
                if let sentence = try cuts.take(from: bounds) { note(sentence) }
                if let sentence = handshake.verdict(at: lastTick - begun) {
                    try perform(.leave(exitCode: 3, reason: sentence), socket, context)
                    break
                }
                if let rebuff = handshake.rebuff { try perform(.turnedAway(rebuff), socket, context) }
                try perform(.tick, socket, context)
                if let code = StopSignal.exitCode {
                    try perform(.leave(exitCode: code, reason: "stopped by a signal"), socket, context)
                }
                if let parent, getppid() != parent {
                    try perform(.leave(exitCode: 1, reason: "the process that started it is gone"), socket, context)
                }
                if parent == nil, endpoint.isTCP || handshake.isGivenUp, ending == nil,
                    let since = machine.unansweredSince,
                    lastTick - begun - max(since, connected) > reconnectsAfter
                {
                    return try socket.close(linger: .zero)
                }
            }
        }
        try socket.close(linger: .milliseconds(200))
    }

    private func take(_ received: Received, _ socket: borrowing Socket, _ context: Context) throws {
        switch received {
        case .overlong(_, _, _, let frameCount):
            try perform(.undecodable(DecodeError(.frames, wanted: 1, got: UInt64(frameCount))), socket, context)
        case .message(let arrived):
            switch Trace.span(
                .receive, { Coordination.Message.decode(arrived, receiver: .worker, memory: memory?.parameters) })
            {
            case .failure(let error): try perform(.undecodable(error), socket, context)
            case .success(let (message, payload)):
                self.payload = payload
                hasHeard = true
                try perform(.received(message), socket, context)
                self.payload = nil
            }
        }
    }

    private func perform(_ event: WorkerEvent, _ socket: borrowing Socket, _ context: Context) throws {
        let directives = machine.handle(event, at: clock.now - begun)
        liveness?.update(machine.ping, goodbye: machine.goodbye)
        for directive in directives { try carryOut(directive, socket, context) }
    }

    private func carryOut(_ directive: WorkerDirective, _ socket: borrowing Socket, _ context: Context) throws {
        switch directive {
        case .send(let message):
            // What finds no room is said again by the machine.
            _ = try socket.send([message.frame], within: .milliseconds(100))
        case .welcomed(let welcome, let run, let incarnation):
            try join(welcome, run, incarnation, socket, context)
        case .storeParameters(let step, let offset, _): storeParameters(step, offset)
        case .storeAssignment(let frame):
            guard let payload else { preconditionFailure("storeAssignment: no frame has arrived") }
            assignments[frame.range, default: AssignmentPieces()].take(payload.bytes, at: frame.offset)
        case .compute(let step, let range): try compute(step, range, socket, context)
        case .sendAnswer(let step, let subtree):
            defer { TraceLog.flush() }
            try Trace.span(.send) { try sendAnswer(step, subtree, socket) }
        case .forget:
            assignments = [:]
            answers = []
        case .exit(let code, let sentence): ending = (code, sentence)
        }
    }

    private func join(
        _ welcome: Welcome, _ run: RunID, _ incarnation: UInt64, _ socket: borrowing Socket, _ context: Context
    ) throws {
        self.run = run
        self.incarnation = incarnation
        if model == nil || welcome.model != modelBytes {
            guard let made = makeModel(welcome.model) else {
                return try perform(
                    .leave(exitCode: 1, reason: "the coordinator trains another model than this program can make"),
                    socket, context)
            }
            model = made
            modelBytes = welcome.model
        }
        guard let model, UInt64(4 * model.parameterCount) == welcome.parameterBytes else {
            return try perform(
                .leave(
                    exitCode: 1,
                    reason:
                        "the coordinator sends \(welcome.parameterBytes) bytes of parameters for a model of \(4 * (model?.parameterCount ?? 0))"
                ),
                socket, context)
        }
        let memory = AvailableMemory.ofThisProcess
        guard welcome.assignmentLimit <= memory.bytes / 4 else {
            return try perform(
                .leave(
                    exitCode: 1,
                    reason:
                        "the coordinator announces assignments of \(welcome.assignmentLimit) bytes; expected at most a quarter of the \(memory)"
                ),
                socket, context)
        }
        parameterCount = model.parameterCount
        parameters = nil
        loadedStep = nil
        let control: Endpoint
        do {
            control = welcome.controlEndpoint.isEmpty ? endpoint : try Endpoint(welcome.controlEndpoint)
            try ClusterTraining.requireReachable(control, keys: keys)
        } catch {
            return try perform(
                .leave(exitCode: 1, reason: "the coordinator names a place for pings that is none: \(error)"),
                socket, context)
        }
        if liveness?.endpoint != control {
            // A coordinator that took another's place listens elsewhere.
            liveness?.stop()
            let thread = LivenessThread(
                context: context, endpoint: control, identity: identity, security: keys?.security)
            thread.update(machine.ping, goodbye: machine.goodbye)
            thread.start(note: note)
            liveness = thread
        }
        note("joined run \(run)")
        CrashPoint.reached(.workerGreeted, step: 0)
    }

    private func storeParameters(_ step: UInt64, _ offset: Int) {
        guard let payload else { preconditionFailure("storeParameters: no frame has arrived") }
        let shared = payload.stream(pieceAt: offset, total: 4 * parameterCount)
        if arrivingStep != step || parameters == nil {
            parameters = shared ?? Storage(count: parameterCount)
            arrivingStep = step
        } else if let parameters, parameters.isView, shared?.isAt(parameters) != true {
            // Not where the pieces before it lie, and there nothing can be written.
            self.parameters = parameters.copy()
        }
        guard parameters?.take(payload, at: offset) == true else {
            preconditionFailure("storeParameters: a payload at \(offset) does not fit")
        }
        loadedStep = nil
        CrashPoint.reached(.workerParameters, step: step + 1)
    }

    private func compute(_ step: UInt64, _ range: ShardRange, _ socket: borrowing Socket, _ context: Context) throws {
        guard let model, let parameters, let bytes = assignments.removeValue(forKey: range)?.joined() else {
            preconditionFailure("compute: step \(step), shards \(range): nothing to compute from")
        }
        do {
            if loadedStep != step {
                // Only what came by shared memory has its packed forms there, too.
                let packed = parameters.isView ? memory?.packed(of: step, count: model.packedCount) : nil
                model.importParameters(parameters, packed: packed)
                (loadedStep, readsShared) = (step, packed != nil)
            }
            CrashPoint.reached(.workerComputing, step: step + 1)
            memory?.answers.begin(step)
            let place = memory.map { memory in AnswerPlace { memory.answers.take(count: $0)?.block } }
            answers = try model.answers(to: bytes, step: step, shards: range, in: place)
            // The step is over, and the next one's forms were written meanwhile: nobody waits for what came of that.
            if readsShared, memory?.isPacked(step) != true { (answers, loadedStep) = ([], nil) }
        } catch {
            return try perform(.leave(exitCode: 1, reason: "\(error)"), socket, context)
        }
        try perform(.computed(step: step, range: range), socket, context)
        if machine.load == 0 { CrashPoint.reached(.workerIdle, step: step + 1, lingers: true) }
    }

    private func sendAnswer(_ step: UInt64, _ subtree: Subtree, _ socket: borrowing Socket) throws {
        guard let answer = answers.first(where: { $0.subtree == subtree }) else {
            guard readsShared else { preconditionFailure("sendAnswer: no sums of \(subtree)") }
            return
        }
        let content = answer.travelling
        let frames = { [run, incarnation] (byteCount: Int) in
            StreamFrames(
                .answer, run: run, incarnation: incarnation, step: step, shards: subtree.range, total: byteCount)
        }
        var stream: OutgoingStream
        if let place = memory?.answers.place(of: content) {
            stream = OutgoingStream(SharedStream(content, at: place, as: frames))
        } else if let (block, place) = memory?.answers.take(count: content.count) {
            unsafe block.base.update(from: content.base, count: content.count)
            stream = OutgoingStream(SharedStream(block, at: place, as: frames))
        } else {
            stream = OutgoingStream(FramedStream(content, as: frames))
        }
        let deadline = clock.now + .seconds(10)
        while !stream.isDone {
            if try socket.send([stream.frame], within: .milliseconds(500)) == .sent {
                stream.advance()
                if !stream.isDone { CrashPoint.reached(.workerAnswering, step: step + 1, lingers: true) }
            } else if clock.now > deadline || StopSignal.received != nil {
                // The coordinator is gone or stuck; the machine finds out and says hello again.
                return
            }
        }
        CrashPoint.reached(.workerAnswered, step: step + 1, lingers: true)
    }
}
