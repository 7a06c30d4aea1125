/// Answers on their way into the reduction tree.
extension CoordinatorMachine {
    mutating func receiveAnswer(_ header: Header, from worker: WorkerID) {
        guard let subtree = header.subtree, subtree.end <= configuration.shards else {
            return drop(
                worker, .shards, reason: "answer for shards up to \(header.range?.end ?? 0) of \(configuration.shards)")
        }
        guard header.total % configuration.answerUnit == 0 else {
            return drop(
                worker, .total,
                reason: "answer of \(header.total) bytes; expected a multiple of \(configuration.answerUnit)")
        }
        guard header.step == progress?.step else { return countStale(.step) }
        guard progress!.isForWorkers, members[worker]!.holds(subtree, of: header.step) else {
            return countStale(.unassigned)
        }

        let first = progress!.answers[subtree]
        if members[worker]!.partials[subtree] == nil { displacePartial(of: worker) }
        var arriving = members[worker]!.partials.removeValue(forKey: subtree)
        let isBegun = arriving != nil
        do throws(StreamAssembly.Failure) {
            if !isBegun {
                let isStored = first == nil || planted.contains(.countTwice)
                guard !isStored || hasRoomForAnswer else {
                    countStale(.displaced)
                    return withdraw(subtree, from: worker)
                }
                arriving = PartialAnswer(
                    assembly: try StreamAssembly(
                        total: header.total, limit: configuration.answerLimit, framing: configuration.framing),
                    isStored: isStored, movedAt: now)
            }
            if try arriving!.assembly.accept(header) == .repeated {
                members[worker]!.partials[subtree] = arriving
                return countStale(.repeatedFrame)
            }
        } catch {
            // What has come of it before is let go of with all else that the worker has sent.
            if isBegun { members[worker]!.partials[subtree] = arriving }
            let code: DecodeError.Code = if case .changed = error { .checksum } else { .total }
            return drop(worker, code, reason: "answer for \(subtree): \(error)")
        }
        guard var partial = arriving.take() else { preconditionFailure("receiveAnswer: nothing of \(subtree) arrives") }

        (members[worker]!.lastMoved, partial.movedAt) = (now, now)
        noteMovement()
        if partial.isStored {
            directives.append(
                .store(
                    AnswerFrame(
                        worker: worker, step: header.step, subtree: subtree, offset: Int(header.offset),
                        length: Int(header.length), total: Int(header.total))))
        }
        if let first { compare(&partial, of: worker, with: first, at: subtree) }
        if partial.assembly.isWhole {
            answered(subtree, by: worker, partial)
        } else {
            members[worker]!.partials[subtree] = partial
            if partial.hasConflict, let first, first.standing == .certain,
                outvotePartials(of: subtree, not: first.assembly), !progress!.isReduced
            {
                restart()
            }
        }
    }

    /// Takes a whole answer: the first one counts.
    private mutating func answered(_ subtree: Subtree, by worker: WorkerID, _ partial: PartialAnswer) {
        let step = progress!.step
        markAnswered(subtree, by: worker)
        if isInQuestion(subtree) { return vote(subtree, by: worker, partial) }
        guard progress!.answers[subtree] == nil || planted.contains(.countTwice) else {
            if !partial.hasConflict {
                counters.equalAnswers += 1
                noteHelpful()
            }
            return
        }
        let first = FirstAnswer(worker: worker, assembly: partial.assembly)
        progress!.answers[subtree] = first
        directives.append(.fold(step: step, subtree: subtree, from: worker))
        compareOthers(with: first, at: subtree)
    }

    /// Holds what is on its way from others against an answer that is the first.
    mutating func compareOthers(with first: FirstAnswer, at subtree: Subtree) {
        let step = progress!.step
        for other in membersInOrder {
            guard var late = members[other.id]!.partials[subtree] else { continue }
            if late.isStored {
                late.isStored = false
                directives.append(.discard(step: step, subtree: subtree, from: other.id))
            }
            compare(&late, of: other.id, with: first, at: subtree)
            members[other.id]!.partials[subtree] = late
        }
    }

    private mutating func compare(
        _ second: inout PartialAnswer, of worker: WorkerID, with first: FirstAnswer, at subtree: Subtree
    ) {
        guard !second.hasConflict, !second.assembly.agrees(with: first.assembly) else { return }
        if planted.contains(.ignoreDifference) { return }
        second.hasConflict = true
        dispute(subtree, first, by: worker)
    }

    mutating func markAnswered(_ subtree: Subtree, by worker: WorkerID) {
        let step = progress!.step
        guard
            let index = members[worker]!.outstanding.firstIndex(where: {
                $0.step == step && $0.unanswered.contains(subtree)
            })
        else { return }
        members[worker]!.outstanding[index].unanswered.removeAll { $0 == subtree }
        guard members[worker]!.outstanding[index].unanswered.isEmpty else { return }
        let assignment = members[worker]!.retire(at: index, now: now)
        if let startedAt = assignment.startedAt {
            rangeTimes.record(now - startedAt)
            // It does as well as others: what it did before does not count any more, and the next may be tried at once.
            if members[worker]!.isTried, let usual = usualTime(of: assignment.range.count),
                now - startedAt <= usual * 2
            {
                members[worker]!.pass()
                nextTrial = now
            }
        }
        (members[worker]!.isTried, members[worker]!.answeredAt) = (false, now)
        noteShardTime(assignment, of: worker)
    }

    mutating func folded(_ step: UInt64, _ subtree: Subtree) {
        guard progress?.step == step, progress!.answers[subtree]?.isFolded == false else { return }
        progress!.answers[subtree]!.isFolded = true
        if progress!.answers[subtree]!.worker != .coordinator { noteHelpful() }
        count(subtree.range)
    }

    mutating func unusable(_ step: UInt64, _ subtree: Subtree, _ reason: String) {
        guard progress?.step == step, progress!.answers[subtree]?.isFolded == false else { return }
        let worker = progress!.answers[subtree]!.worker
        forgetAnswers(for: subtree)
        drop(worker, .payload, reason: "answer for \(subtree): \(reason)")
    }

    mutating func nonFinite(_ step: UInt64, _ subtree: Subtree, _ part: String) {
        guard progress?.step == step, progress!.answers[subtree]?.isFolded == false else { return }
        let worker = progress!.answers[subtree]!.worker
        forgetAnswers(for: subtree)
        // Nobody else's answer may come between: what is computed here is added without asking.
        progress!.pending.remove(subtree.shards)
        if progress!.own == subtree { progress!.isOwnVoid = true }
        for other in membersInOrder where other.holds(subtree, of: step) { markAnswered(subtree, by: other.id) }
        progress!.recheck.append(subtree)
        progress!.suspects.append(
            (worker, "answer for \(subtree): \(part) was not finite, and was when it was computed again"))
    }

    mutating func computedLocally(_ step: UInt64, _ range: ShardRange) {
        guard progress?.step == step, progress!.local == range else { return }
        progress!.local = nil
        counters.shardsComputedLocally += range.count
        count(range)
    }

    private mutating func count(_ shards: ShardRange) {
        noteMovement()
        progress!.counted += shards.count
        progress!.inTree.insert(shards.shards)
        noteWhole()
    }

    /// The step is reduced when every shard is in the tree and no answer in question.
    mutating func noteWhole() {
        guard progress!.counted == configuration.shards, progress!.audits.isEmpty, !progress!.isReduced else { return }
        progress!.isReduced = true
        counters.stepsReduced += 1
        directives.append(.stepReduced(progress!.step))
    }

    /// Lets go of what has arrived of another answer of this worker, which sends one behind the other: the rest of it is lost.
    ///
    /// Each is as long as all parameters, so this bounds what one worker can make the coordinator keep.
    private mutating func displacePartial(of worker: WorkerID) {
        guard let (other, _) = members[worker]!.partials.first(where: { $0.value.isStored }) else { return }
        members[worker]!.partials[other] = nil
        countStale(.displaced)
        directives.append(.discard(step: progress!.step, subtree: other, from: worker))
    }

    mutating func discardPartials(of worker: WorkerID) {
        guard let progress else { return }
        for (subtree, partial) in members[worker]!.partials.sorted(by: { $0.key.first < $1.key.first })
        where partial.isStored {
            directives.append(.discard(step: progress.step, subtree: subtree, from: worker))
        }
        members[worker]!.partials = [:]
    }
}
