internal import Coordination
internal import Foundation
package import Messaging
internal import Optimizers
internal import TensorCore
internal import Tracing
package import Training

/// Owns the coordinator's sockets and clock: carries events to the machine and its directives out, on one thread.
package final class CoordinatorLoop {
    let trainer: any StepTrainer
    let settings: CoordinatorSettings
    let children: ChildEvents
    let memory: SharedMemory?
    let note: (String) -> Void

    private(set) var machine: CoordinatorMachine
    var outbox: Outbox
    /// Answers that are arriving.
    var arriving: [Place: ArrivingAnswer] = [:]
    /// The parameters of the step at hand, as they are sent.
    private(set) var parameters: Publication?
    /// The frame that the machine is being told about.
    private(set) var payload: ArrivedPayload?
    private(set) var isPayloadFinite = true
    var isReduced = false
    /// Shards that the machine wants computed here; done between two looks at the sockets, so that workers are taken in meanwhile.
    var localWork: (step: UInt64, range: ShardRange)?
    /// A subtree that the machine wants computed here to decide between answers, and what came of it.
    var ownWork: (step: UInt64, subtree: Subtree)?
    var ownAnswer: SubtreeAnswer?
    private var computing = WatchedComputing()
    var failure: ClusterError?
    var names = WorkerNames()
    private var strangerNotes = NoteLimit(burst: 20, perSecond: 2)
    private var memberNotes = NoteLimit(burst: 200, perSecond: 2)
    /// Handshakes and connections that were ended, by kind.
    private var ended: [String: Int] = [:]
    private var connections: ConnectionGuard?
    private let clock = ContinuousClock()
    private let begun: ContinuousClock.Instant
    /// When the machine was last told anything.
    private var lastTold: ContinuousClock.Instant
    private var lastTick: ContinuousClock.Instant

    struct Place: Hashable {
        let worker: WorkerID
        let subtree: Subtree
    }

    struct ArrivingAnswer {
        let block: Storage
        /// Whether every piece that has come had finite numbers only.
        var isFinite = true
    }

    /// - Parameters:
    ///   - children: where the launcher of local workers says that one has ended.
    ///   - memory: what is shared with local workers.
    ///   - note: takes sentences for people: who joined, who was lost.
    package init(
        _ trainer: any StepTrainer, settings: CoordinatorSettings, children: ChildEvents = ChildEvents(),
        memory: SharedMemory? = nil, note: @escaping (String) -> Void
    ) {
        self.trainer = trainer
        self.settings = settings
        outbox = Outbox(loss: settings.loss)
        self.children = children
        self.memory = memory
        self.note = note
        begun = clock.now
        (lastTold, lastTick) = (begun, begun)
        let shards = trainer.shards
        let fingerprint = NumericsFingerprint.measure().bytes
        var configuration = CoordinatorConfiguration(
            run: settings.run, incarnation: settings.incarnation, shards: shards, version: Release.version,
            fingerprint: fingerprint, parameterBytes: UInt64(4 * trainer.parameterCount),
            answerLimit: UInt64(4 * trainer.answerLimit),
            assignmentLimit: UInt64(trainer.assignmentLimit), model: trainer.modelBytes)
        configuration.answerUnit = 4
        configuration.answerRoom = Self.answerRoom(shards: shards, answerBytes: 4 * trainer.answerLimit)
        configuration.fallbackAfter = settings.fallbackAfter
        configuration.requiresKeys = settings.keys != nil
        configuration.auditShare = settings.auditShare
        machine = CoordinatorMachine(configuration)
    }

    /// How many answers may be arriving at a time, so that a coordinator stays below (5 + log₂ S) · P + 4 MiB a worker + 256 MiB: what four P
    /// leave of it, which are the parameters, their averages and their frames, and what its other parts leave of the 256 MiB.
    private static func answerRoom(shards: Int, answerBytes: Int) -> Int {
        1 + shards.trailingZeroBitCount + (128 << 20) / max(1, answerBytes)
    }

    package var workersSeen: Int { machine.counters.joined }
    package var workersLost: Int { machine.counters.lost }
    package var answersAudited: Int { machine.counters.audited }
    package var workersOutvoted: Int { machine.counters.outvoted }

    private var workerCounts: WorkerCounts {
        let counters = machine.counters
        return WorkerCounts(
            live: machine.load.members, seen: counters.joined, lost: counters.lost, audited: counters.audited,
            outvoted: counters.outvoted)
    }

    /// What should not have come, by kind.
    package var rejected: [String: Int] {
        machine.counters.rejected.merging(ended) { $0 + $1 }
    }

    /// Ends the connections of a worker that was dropped for good: it would be listened to in vain.
    func dismiss(_ worker: WorkerID) {
        outbox.discard(worker)
        connections?.dismiss(PeerIdentity(received: worker.bytes))
    }

    /// A sentence that somebody else can cause as often as he likes.
    func noteStranger(_ sentence: String) {
        for sentence in strangerNotes.take(sentence, at: clock.now - begun) { note(sentence) }
    }

    /// The same of somebody who takes part, as all workers may at once when a run begins.
    func noteMember(_ sentence: String) {
        for sentence in memberNotes.take(sentence, at: clock.now - begun) { note(sentence) }
    }

    /// Trains until the run is done or `shouldStop` says so.
    ///
    /// - Parameters:
    ///   - ready: told where workers connect to, once they can.
    ///   - before: what takes long and comes before the first step; nil for nothing.
    ///   - stepDone: what each step did, and what is counted of the workers; gives back what takes long and comes before the next step.
    package func run(
        in context: Context, ready: (Endpoint) -> Void, before: (() throws -> Void)? = nil, shouldStop: () -> Bool,
        stepDone: (StepReport, WorkerCounts) throws -> (() throws -> Void)?
    ) throws {
        FloatingPointEnvironment.prepareThread()
        let sockets = try CoordinatorSockets(settings, in: context)
        connections = sockets.connections
        var configuration = machine.configuration
        configuration.controlEndpoint = sockets.controlEndpoint.description
        machine = CoordinatorMachine(configuration)
        ready(sockets.dataEndpoint)

        trainer.updateThreads = settings.threads
        if let before { try carryOut(before, beside: sockets) }
        var nextPlace: ParameterPlace?
        while !trainer.isDone, !shouldStop() {
            // What has gone out needs no memory any more when the next is laid out.
            parameters = nil
            sockets.data.releaseIdleBlocks()
            beginStep(isPlaced: nextPlace != nil)
            guard let report = try finishStep(at: &nextPlace, beside: sockets, shouldStop) else { break }
            let rest = try Trace.span(.record) { try stepDone(report, workerCounts) }
            TraceLog.flush()
            if let rest { try carryOut(rest, beside: sockets) }
        }

        children.finish()
        // Work that has not gone out yet is nobody's any more, and must not stand before the last word.
        outbox.discardAll()
        perform(.stop(reason: trainer.isDone ? "the run is done" : "the run was stopped"))
        _ = try outbox.flush(sockets.data, at: clock.now - begun)
        // The connection stays until each of them has said goodbye: libzmq drops what has arrived and is not read when it closes.
        // A worker that this process started may say its first hello only now, and is told too.
        let deadline = clock.now + .seconds(2)
        while children.areAlive || !outbox.isEmpty || !machine.leaving.isEmpty, clock.now < deadline {
            try look(at: sockets, patience: .milliseconds(5))
        }
        if !rejected.isEmpty {
            let kinds = rejected.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            note("rejected: \(kinds.joined(separator: ", "))")
        }
        try sockets.close()
    }

    /// Waits for the step's sum and updates the parameters with it.
    ///
    /// - Returns: nil when the run is to stop before that.
    private func finishStep(
        at place: inout ParameterPlace?, beside sockets: borrowing CoordinatorSockets, _ shouldStop: () -> Bool
    ) throws -> StepReport? {
        while true {
            while !isReduced, !shouldStop() {
                try look(at: sockets, patience: localWork == nil && ownWork == nil ? .milliseconds(50) : .zero)
                if let failure { throw failure }
                try computeLocally(beside: sockets, shouldStop)
            }
            guard isReduced else { return nil }
            parameters?.conclude()
            place = parameters?.openNextPlace()
            let report = trainer.finishStep(at: place)
            guard let part = report.nonFinite, machine.hasUncertainAnswers else { return report }
            noteMember(
                "step \(report.step): \(part) is not finite in the sum of answers that were; they are computed again here"
            )
            isReduced = false
            parameters?.keepPlace()
            perform(.nonFiniteSum(step: trainer.step))
        }
    }

    /// Does what takes long between two steps while workers are answered: a validation may take longer than their patience.
    private func carryOut(_ body: @escaping () throws -> Void, beside sockets: borrowing CoordinatorSockets) throws {
        let work = BackgroundWork(body)
        while !work.isDone { try look(at: sockets, patience: .milliseconds(20)) }
        try work.result()
    }

    /// - Parameter isPlaced: whether its parameters lie in their place in shared memory already.
    private func beginStep(isPlaced: Bool) {
        trainer.beginStep()
        parameters = Publication(of: trainer, memory: memory, isPlaced: isPlaced) {
            [settings, step = trainer.step] byteCount, framing in
            StreamFrames(
                .parameters, run: settings.run, incarnation: settings.incarnation, step: step, total: byteCount,
                framing: framing)
        }
        isReduced = false
        localWork = nil
        (ownWork, ownAnswer) = (nil, nil)
        for worker in outbox.discardLaggards(at: trainer.step) { perform(.sendFailed(to: worker)) }
        perform(.beginStep(trainer.step))
    }

    /// Looks once at everything that can happen: room in the sockets, messages, the ends of children, the clock.
    ///
    /// - Parameter patience: how long to wait for a message.
    private func look(at sockets: borrowing CoordinatorSockets, patience: Duration) throws {
        for worker in try flush(sockets) { perform(.sendFailed(to: worker)) }
        // With frames waiting for room, look again soon: readiness of a ROUTER does not say which peer has room.
        let team = ThreadTeam(threads: settings.threads)
        let pace: Duration = machine.awaitsUnproven ? .milliseconds(5) : .milliseconds(100)
        try sockets.receive(
            within: min(patience, outbox.isEmpty ? pace : .milliseconds(1)), memory: memory, team: team
        ) { take($0) }
        let news = children.take()
        for sentence in news.sentences { note(sentence) }
        for worker in news.ended {
            perform(.workerExited(worker))
            memory?.forget(worker)
        }
        if let changes = try sockets.allowList?.takeNews() {
            for sentence in changes.notes { note(sentence) }
            for key in changes.revoked { perform(.revoked(key)) }
            if let refusals = sockets.allowList?.refusals, refusals > 0 { ended["key"] = refusals }
        }
        try takeCuts(sockets)
        if news.isForsaken { perform(.nobodyComes) }
        if clock.now - lastTick > pace {
            lastTick = clock.now
            perform(.tick)
        }
    }

    /// Takes note of connections that were ended because they held too much, or were too many.
    private func takeCuts(_ sockets: borrowing CoordinatorSockets) throws {
        guard let news = try sockets.connections?.takeNews() else { return }
        if news.handshakesFailed > 0 { ended["handshake", default: 0] += news.handshakesFailed }
        for (kind, count) in news.counts { ended[kind.rawValue, default: 0] += count }
        for cut in news.cuts {
            switch cut.reason {
            case .waitingBytes(let count):
                noteStranger("the connection of \(cut.peer) was cut: \(count) bytes of it waited here")
            case .dismissed:
                noteStranger("the connection of \(cut.peer) was cut: it was a worker's that was dropped")
            case .connections(let count):
                noteStranger(
                    "the connection of \(cut.peer) was cut: there were \(count), and nobody had said who it is")
            }
        }
    }

    private func flush(_ sockets: borrowing CoordinatorSockets) throws -> [WorkerID] {
        guard !outbox.isEmpty else { return [] }
        return try Trace.span(.send) { try outbox.flush(sockets.data, at: clock.now - begun) }
    }

    private func take(_ arrival: Arrival) {
        switch arrival {
        case .undecodable(let error, let sender, let key, let connection):
            perform(.undecodable(error, from: sender, key: key))
            if let connection, let key, machine.isRevoked(key) { connections?.dismiss(connection) }
        case .message(let message, let payload, let isFinite, let sender, let key, let connection):
            guard settings.loss?.takesOne() != true else { return }
            if case .hello(let hello) = message.body { names.note(hello.label, of: sender) }
            (self.payload, isPayloadFinite) = (payload, isFinite)
            perform(.received(message, from: sender, key: key))
            self.payload = nil
            if let connection {
                if machine.isMember(sender, key) {
                    connections?.recognise(connection, as: PeerIdentity(received: sender.bytes))
                } else if let key, machine.isRevoked(key) {
                    connections?.dismiss(connection)
                }
            }
        }
    }

    /// Tells the machine, and does what it asks for.
    ///
    /// Time in which this process itself told it nothing, because it was stopped or computed, is nobody's silence. One reading of
    /// the clock serves for that and for the event: between two readings the process may be stopped.
    func perform(_ event: CoordinatorEvent) {
        let instant = clock.now
        let absence = instant - lastTold
        lastTold = instant
        if absence > .seconds(1) { carryOut(machine.handle(.suspended(for: absence), at: instant - begun)) }
        carryOut(machine.handle(event, at: instant - begun))
    }

    private func computeLocally(beside sockets: borrowing CoordinatorSockets, _ shouldStop: () -> Bool) throws {
        if let (step, range) = localWork {
            localWork = nil
            guard let answers = try compute(range, settings.threads, beside: sockets, shouldStop) else { return }
            trainer.add(answers)
            perform(.computedLocally(step: step, range: range))
        }
        if let (step, subtree) = ownWork {
            ownWork = nil
            guard let answer = try compute(subtree.range, 1, beside: sockets, shouldStop)?.first else { return }
            ownAnswer = answer
            perform(.computedOwn(step: step, subtree: subtree, assembly(of: answer, step: step)))
        }
    }

    /// Computes shards while workers are answered.
    ///
    /// - Returns: nil when there is no more use for them: the run is to stop, however long they would take yet.
    private func compute(
        _ range: ShardRange, _ threads: Int, beside sockets: borrowing CoordinatorSockets, _ shouldStop: () -> Bool
    ) throws -> [SubtreeAnswer]? {
        try computing.answers(of: trainer.computation(of: range, threads: threads)) {
            try look(at: sockets, patience: .zero)
            if let failure { throw failure }
            return shouldStop()
        }
    }
}
