internal import Coordination
internal import TensorCore
internal import Training

/// What the machine asks for.
extension CoordinatorLoop {
    func carryOut(_ directives: [CoordinatorDirective]) {
        for directive in directives { carryOut(directive) }
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
        case .computeOwn(let step, let subtree): ownWork = (step, subtree)
        case .foldOwn(let step, let subtree): foldOwn(step, subtree)
        case .discardOwn: ownAnswer = nil
        case .restartStep:
            isReduced = false
            trainer.beginStep()
        case .joined(let worker, _):
            noteMember("\(names[worker]) joined\(memory?.answers(of: worker) == nil ? "" : ", sharing memory")")
        case .suspected, .repeated: break
        case .lost(let worker, let reason):
            outbox.discard(worker)
            if reason != .restarted { noteMember("\(names[worker]) is lost: \(reason)") }
        case .refused(let worker, let refusal): noteStranger("\(names[worker]) was refused: \(refusal.sentence)")
        case .dropped(let worker, let reason):
            dismiss(worker)
            noteStranger("\(names[worker]) was dropped: \(reason)")
        case .outvoted(let worker, let step, let subtree):
            dismiss(worker)
            noteMember(
                "\(names[worker]) is dropped: its gradients for step \(step + 1), shards \(subtree), are not what others compute"
            )
        case .distrusted(let step):
            noteMember("step \(step + 1): wrong answers again and again; the coordinator computes it by itself")
        case .waiting(let duration): note(waiting(for: duration))
        case .conflict(let conflict):
            let outcome =
                conflict.isSettled
                ? conflict.first == .coordinator
                    ? "what the coordinator has computed counts" : "the coordinator computes them itself and decides"
                : "the step was whole by then, with the first one's: lockstep verify says whether that was right"
            noteMember(
                "step \(conflict.step + 1), shards \(conflict.subtree): \(names[conflict.first]) and \(names[conflict.second]) gave different gradients; \(outcome)"
            )
        }
    }

    private func publish(_ step: UInt64, to worker: WorkerID) {
        guard let parameters else { preconditionFailure("publish: step \(step) has no parameters yet") }
        outbox.append(parameters.stream(to: worker), of: step, to: worker)
    }

    private func assign(_ range: ShardRange, _ step: UInt64, to worker: WorkerID) {
        let stream = FramedStream(trainer.assignment(for: range)) { byteCount in
            StreamFrames(
                .assignment, run: settings.run, incarnation: settings.incarnation, step: step, shards: range,
                total: byteCount)
        }
        outbox.append(OutgoingStream(stream), of: step, to: worker)
    }

    private func store(_ frame: AnswerFrame) {
        guard let payload else { preconditionFailure("store: no frame has arrived") }
        let place = Place(worker: frame.worker, subtree: frame.subtree)
        var answer =
            arriving[place]
            ?? ArrivingAnswer(
                block: payload.stream(pieceAt: frame.offset, total: frame.total)
                    ?? Storage(count: (frame.total + 3) / 4))
        answer.isFinite = answer.isFinite && isPayloadFinite
        arriving[place] = answer
        // The machine has checked offset and length against the stream's length.
        if !answer.block.take(payload, at: frame.offset) { preconditionFailure("store: \(frame) does not fit") }
    }

    private func fold(_ step: UInt64, _ subtree: Subtree, from worker: WorkerID) {
        guard let arrived = arriving.removeValue(forKey: Place(worker: worker, subtree: subtree)) else {
            preconditionFailure("fold: nothing of \(subtree) has arrived from \(worker)")
        }
        children.noteAnswer(of: worker)
        do {
            let answer = try trainer.answer(travelled: arrived.block, for: subtree)
            // Counts and checksums look like floats that are not finite, now and then: the answer itself decides.
            if !arrived.isFinite, let part = trainer.nonFinitePart(of: answer) {
                noteMember(
                    "step \(step + 1), shards \(subtree): \(part) is not finite in the answer of \(names[worker]); it is computed again here"
                )
                return perform(.nonFinite(step: step, subtree: subtree, part: part))
            }
            try trainer.add(answer)
            perform(.folded(step: step, subtree: subtree))
        } catch {
            perform(.unusable(step: step, subtree: subtree, reason: "\(error)"))
        }
    }

    /// What the frames of an answer that was computed here would be.
    func assembly(of answer: SubtreeAnswer, step: UInt64) -> StreamAssembly {
        let floats = answer.travelling
        let frames = StreamFrames(
            .answer, run: settings.run, incarnation: settings.incarnation, step: step, shards: answer.subtree.range,
            total: 4 * floats.count)
        return unsafe StreamAssembly(of: frames, bytes: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(floats.floats)))
    }

    private func foldOwn(_ step: UInt64, _ subtree: Subtree) {
        guard let answer = ownAnswer, answer.subtree == subtree else {
            preconditionFailure("foldOwn: nothing of \(subtree) was computed here")
        }
        ownAnswer = nil
        do { try trainer.add(answer) } catch { preconditionFailure("foldOwn: \(error)") }
        perform(.folded(step: step, subtree: subtree))
    }

    /// Who keeps the step waiting.
    private func waiting(for duration: Duration) -> String {
        func seconds(_ duration: Duration) -> String { "\(duration.components.seconds) s" }
        let beginning = "step \(trainer.step + 1): nothing has come for \(seconds(duration)); waiting for "
        let waited = machine.waitingFor
        guard !waited.isEmpty else { return beginning + "a worker that takes shards" }
        let named = waited.prefix(3).map { entry in
            let shards = entry.ranges.map(\.description).joined(separator: ", ")
            return "\(names[entry.worker]) (shards \(shards), for \(seconds(entry.waited)))"
        }
        let others = waited.count - named.count
        return beginning + named.joined(separator: ", ") + (others > 0 ? " and \(others) more" : "")
    }
}
