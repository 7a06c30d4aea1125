package import Coordination
internal import Foundation
package import Messaging
internal import Optimizers
internal import TensorCore
package import Training

/// What a coordinator is told beside the run itself.
package struct CoordinatorSettings: Sendable {
    package var run: RunID
    package var incarnation: UInt64
    /// Where workers connect to; a second socket for their pings is opened beside it.
    package var data: Endpoint
    package var control: Endpoint
    package var fallbackAfter: Duration
    /// Threads for shards that are computed here.
    package var threads: Int

    package init(
        run: RunID, incarnation: UInt64, data: Endpoint, control: Endpoint, fallbackAfter: Duration, threads: Int
    ) {
        self.run = run
        self.incarnation = incarnation
        self.data = data
        self.control = control
        self.fallbackAfter = fallbackAfter
        self.threads = threads
    }
}

/// Owns the coordinator's sockets and clock: carries events to the machine and its directives out, on one thread.
package final class CoordinatorLoop {
    private let trainer: any StepTrainer
    private let settings: CoordinatorSettings
    private let children: ChildEvents
    private let note: (String) -> Void

    private var machine: CoordinatorMachine
    private var outbox = Outbox()
    /// Answers that are arriving.
    private var arriving: [Place: Storage] = [:]
    /// The parameters of the step at hand, as they are sent.
    private var parameters: FramedStream?
    /// The frame that the machine is being told about.
    private var payload: ArrivedPayload?
    private var isReduced = false
    /// Shards that the machine wants computed here; done between two looks at the sockets, so that workers are taken in meanwhile.
    private var localWork: (step: UInt64, range: ShardRange)?
    private var failure: ClusterError?
    private var childrenEnded = 0
    private var lastLook = ContinuousClock.now
    private let clock = ContinuousClock()
    private let begun: ContinuousClock.Instant

    private struct Place: Hashable {
        let worker: WorkerID
        let subtree: Subtree
    }

    /// - Parameters:
    ///   - children: where the launcher of local workers says that one has ended.
    ///   - note: takes sentences for people: who joined, who was lost.
    package init(
        _ trainer: any StepTrainer, settings: CoordinatorSettings, children: ChildEvents = ChildEvents(),
        note: @escaping (String) -> Void
    ) {
        self.trainer = trainer
        self.settings = settings
        self.children = children
        self.note = note
        begun = clock.now
        let shards = trainer.shards
        let fingerprint = NumericsFingerprint.measure().bytes
        var configuration = CoordinatorConfiguration(
            run: settings.run, incarnation: settings.incarnation, shards: shards, version: Release.version,
            fingerprint: fingerprint, parameterBytes: UInt64(4 * trainer.parameterCount),
            answerLimit: UInt64(4 * trainer.answerLimit),
            assignmentLimit: UInt64(trainer.assignmentLimit), model: trainer.modelBytes)
        configuration.fallbackAfter = settings.fallbackAfter
        machine = CoordinatorMachine(configuration)
    }

    package var workersSeen: Int { machine.counters.joined }
    package var workersLost: Int { machine.counters.lost }

    /// Trains until the run is done or `shouldStop` says so.
    ///
    /// - Parameters:
    ///   - ready: told where workers connect to, once they can.
    ///   - stepDone: what each step did, and how many workers there are; gives back what takes long and comes before the next step.
    package func run(
        in context: Context, ready: (Endpoint) -> Void, shouldStop: () -> Bool,
        stepDone: (StepReport, Int) throws -> (() throws -> Void)?
    ) throws {
        FloatingPointEnvironment.prepareThread()
        let data = try Socket(.router, in: context, options: .data(frameBytes: frameBytes))
        let control = try Socket(.router, in: context, options: .control())
        var configuration = machine.configuration
        configuration.controlEndpoint = try control.bind(settings.control).description
        machine = CoordinatorMachine(configuration)
        ready(try data.bind(settings.data))
        var poller = Poller()
        let dataSlot = poller.add(data)
        let controlSlot = poller.add(control)

        while !trainer.isDone, !shouldStop() {
            trainer.beginStep()
            parameters = FramedStream(trainer.exportParameters()) { [step = trainer.step] byteCount in
                StreamFrames(
                    .parameters, run: settings.run, incarnation: settings.incarnation, step: step, total: byteCount)
            }
            isReduced = false
            localWork = nil
            perform(.beginStep(trainer.step))
            var lastTick = clock.now
            while !isReduced {
                for worker in try outbox.flush(data) { perform(.sendFailed(to: worker)) }
                if isReduced || shouldStop() { break }
                // With frames waiting for room, look again soon: readiness of a ROUTER does not say which peer has room.
                let patience: Duration =
                    localWork != nil ? .zero : outbox.isEmpty ? .milliseconds(50) : .milliseconds(1)
                let ready = try poller.wait(within: patience)
                noteAbsence()
                if ready?[dataSlot].contains(.readable) == true { try drain(data) }
                if ready?[controlSlot].contains(.readable) == true { try drain(control) }
                noteExits()
                if clock.now - lastTick > .milliseconds(100) {
                    lastTick = clock.now
                    perform(.tick)
                }
                if let failure { throw failure }
                computeLocally()
            }
            guard isReduced else { break }
            if let rest = try stepDone(trainer.finishStep(), machine.roster.count) {
                // Workers are answered meanwhile: a validation may take longer than their patience.
                let work = BackgroundWork(rest)
                while !work.isDone {
                    if try poller.wait(within: .milliseconds(20)) != nil {
                        try drain(data)
                        try drain(control)
                    }
                    noteAbsence()
                    noteExits()
                    for worker in try outbox.flush(data) { perform(.sendFailed(to: worker)) }
                }
                try work.result()
            }
        }
        perform(.stop(reason: trainer.isDone ? "the run is done" : "the run was stopped"))
        _ = try outbox.flush(data)
        // A worker that this process started may say its first hello only now: it is told too.
        let deadline = clock.now + .seconds(2)
        while childrenEnded < children.started, clock.now < deadline {
            if try poller.wait(within: .milliseconds(5)) != nil {
                try drain(data)
                try drain(control)
            }
            _ = try outbox.flush(data)
            noteExits()
        }
        try data.close(linger: .seconds(2))
    }

    /// Time in which this process itself did not look, because it was stopped or computed, is not the workers' silence.
    private func noteAbsence() {
        let instant = clock.now
        if instant - lastLook > .seconds(1) { perform(.suspended(for: instant - lastLook)) }
        lastLook = instant
    }

    private func noteExits() {
        for sentence in children.takeFailures() { note(sentence) }
        for worker in children.takeExited() {
            childrenEnded += 1
            perform(.workerExited(worker))
        }
    }

    private var now: Duration { clock.now - begun }

    /// Takes in what has arrived; at most so much that everything else gets its turn.
    private func drain(_ socket: borrowing Socket) throws {
        for _ in 0..<64 {
            guard let received = try socket.receive(maximumFrames: 4) else { return }
            switch received {
            case .overlong(let sender, let frameCount):
                guard let sender else { continue }
                perform(
                    .undecodable(DecodeError(.frames, wanted: 1, got: UInt64(frameCount)), from: WorkerID(sender.bytes))
                )
            case .message(let arrived):
                guard let sender = arrived.sender.map({ WorkerID($0.bytes) }) else { continue }
                switch Coordination.Message.decode(arrived, receiver: .coordinator) {
                case .failure(let error): perform(.undecodable(error, from: sender))
                case .success(let (message, payload)):
                    self.payload = payload
                    perform(.received(message, from: sender))
                    self.payload = nil
                }
            }
        }
    }

    /// Tells the machine, and does what it asks for.
    private func perform(_ event: CoordinatorEvent) {
        for directive in machine.handle(event, at: now) { carryOut(directive) }
    }

    private func carryOut(_ directive: CoordinatorDirective) {
        switch directive {
        case .send(let message, let worker): outbox.append(message, to: worker)
        case .publishParameters(let worker, let step): publish(step, to: worker)
        case .assign(let range, let step, let worker): assign(range, step, to: worker)
        case .store(let frame): store(frame)
        case .fold(let step, let subtree, let worker): fold(step, subtree, from: worker)
        case .discard(_, let subtree, let worker): arriving[Place(worker: worker, subtree: subtree)] = nil
        case .stepReduced: isReduced = true
        case .computeLocally(let step, let range): localWork = (step, range)
        case .joined(_, let hello): note("worker \(hello.label) joined")
        case .suspected: break
        case .lost(let worker, .restarted): outbox.discard(worker)
        case .lost(let worker, let reason):
            outbox.discard(worker)
            note("worker \(worker) is lost: \(reason)")
        case .refused(let worker, let refusal): note("worker \(worker) was refused: \(refusal.sentence)")
        case .dropped(let worker, let reason):
            outbox.discard(worker)
            note("worker \(worker) was dropped: \(reason)")
        case .repeated: break
        case .conflict(let conflict):
            failure = ClusterError(
                "step \(conflict.step), shards \(conflict.subtree): workers \(conflict.first) and \(conflict.second) gave different gradients; "
                    + "one of the machines computes wrongly, and the last checkpoint is good")
        }
    }

    private func computeLocally() {
        guard let (step, range) = localWork else { return }
        localWork = nil
        trainer.compute(range, threads: settings.threads)
        perform(.computedLocally(step: step, range: range))
    }

    private func publish(_ step: UInt64, to worker: WorkerID) {
        guard let parameters else { preconditionFailure("publish: step \(step) has no parameters yet") }
        outbox.append(OutgoingStream(parameters), to: worker)
    }

    private func assign(_ range: ShardRange, _ step: UInt64, to worker: WorkerID) {
        let stream = FramedStream(trainer.assignment(for: range)) { byteCount in
            StreamFrames(
                .assignment, run: settings.run, incarnation: settings.incarnation, step: step, shards: range,
                total: byteCount)
        }
        outbox.append(OutgoingStream(stream), to: worker)
    }

    private func store(_ frame: AnswerFrame) {
        guard let payload else { preconditionFailure("store: no frame has arrived") }
        let place = Place(worker: frame.worker, subtree: frame.subtree)
        let block = arriving[place] ?? Storage(count: (frame.total + 3) / 4)
        arriving[place] = block
        // The machine has checked offset and length against the stream's length.
        if !block.take(payload, at: frame.offset) { preconditionFailure("store: \(frame) does not fit") }
    }

    private func fold(_ step: UInt64, _ subtree: Subtree, from worker: WorkerID) {
        guard let block = arriving.removeValue(forKey: Place(worker: worker, subtree: subtree)) else {
            preconditionFailure("fold: nothing of \(subtree) has arrived from \(worker)")
        }
        do {
            try trainer.add(trainer.answer(travelled: block, for: subtree))
            perform(.folded(step: step, subtree: subtree))
        } catch {
            perform(.unusable(step: step, subtree: subtree, reason: "\(error)"))
        }
    }
}
