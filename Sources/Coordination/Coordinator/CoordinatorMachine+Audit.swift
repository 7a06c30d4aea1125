/// Answers that are computed twice, and what happens when they differ.
///
/// A subtree under audit is folded only once two workers agree, of two keys where the workers have several. Where two answers differ,
/// audited or a straggler's, and where the sum of finite answers is not finite, the coordinator computes the subtree itself and decides.
/// Who is outvoted is dropped, and what it has answered for the step and nobody has confirmed is computed again.
extension CoordinatorMachine {
    mutating func chooseForAudit(_ range: ShardRange) {
        guard AuditChoice(share: configuration.auditShare, run: configuration.run).includes(range, of: progress!.step)
        else { return }
        progress!.audited.insert(range.shards)
    }

    /// Whether an answer for a subtree counts only when another computation has given the same.
    package func isAudited(_ subtree: Subtree) -> Bool {
        guard let progress, !progress.audited.isEmpty else { return false }
        return subtree.shards.contains { progress.audited.contains($0) }
    }

    /// Whether an answer for a subtree is for `vote` to take.
    func isInQuestion(_ subtree: Subtree) -> Bool {
        isAudited(subtree) || progress?.audits[subtree] != nil || progress?.answers[subtree]?.isConfirmed == true
    }

    /// Takes a whole answer for a subtree that is in question.
    mutating func vote(_ subtree: Subtree, by worker: WorkerID, _ partial: PartialAnswer) {
        let step = progress!.step
        if let first = progress!.answers[subtree], first.isConfirmed, progress!.audits[subtree] == nil {
            // Its bytes were kept while it might have been the one that is right.
            if partial.isStored { directives.append(.discard(step: step, subtree: subtree, from: worker)) }
            if first.assembly.agrees(with: partial.assembly) {
                counters.equalAnswers += 1
                noteHelpful()
            } else if first.standing == .certain, outvote(worker, subtree), !progress!.isReduced {
                restart()
            }
            return
        }
        var audit = progress!.audits[subtree] ?? Audit()
        guard !audit.hasVote(of: worker) else {
            if partial.isStored { directives.append(.discard(step: step, subtree: subtree, from: worker)) }
            return
        }
        audit.add(
            Audit.Vote(
                worker: worker, key: members[worker]?.key, assembly: partial.assembly, isStored: partial.isStored))
        progress!.audits[subtree] = audit
        if progress!.answers[subtree] == nil {
            let first = FirstAnswer(worker: worker, assembly: partial.assembly, standing: .held)
            progress!.answers[subtree] = first
            compareOthers(with: first, at: subtree)
        }
        if let right = audit.verdict(ofDifferent: progress!.hasSeveralKeys) { settle(subtree, right, isOwn: false) }
    }

    /// Takes note of whether the workers have more than one key: then none of them confirms itself under two names, even when the others
    /// have left before the step is over.
    mutating func noteKeys() {
        guard progress?.hasSeveralKeys == false else { return }
        progress!.hasSeveralKeys = Set(members.values.map(\.key)).count > 1
    }

    /// Whether a sum that is not finite may be a worker's doing: the coordinator has not computed all that is in it.
    package var hasUncertainAnswers: Bool { progress?.answers.values.contains { $0.standing != .certain } ?? false }

    /// The sum of a step that was whole is not finite: the coordinator computes each answer in it, and who said otherwise goes.
    ///
    /// The step is whole again when all were right, or when it has been computed without whoever was not.
    mutating func nonFiniteSum(_ step: UInt64) {
        guard progress?.step == step, progress!.isReduced, hasUncertainAnswers else { return }
        reopen()
        progress!.doubt = .open
        for (subtree, first) in progress!.answers where first.standing != .certain {
            progress!.answers[subtree]!.standing = .taken
            progress!.audits[subtree] = Audit(disputing: first)
        }
        noteMovement()
    }

    /// Another's answer differs from the first: the coordinator's own decides, unless one has, or it is too late.
    mutating func dispute(_ subtree: Subtree, _ first: FirstAnswer, by second: WorkerID) {
        counters.conflicts += 1
        let isSettled = first.standing == .certain || !progress!.isReduced
        if !isAudited(subtree) {
            directives.append(
                .conflict(
                    AnswerConflict(
                        step: progress!.step, subtree: subtree, first: first.worker, second: second,
                        isSettled: isSettled)))
        }
        guard isSettled, first.standing != .certain else { return }
        if progress!.audits[subtree] == nil {
            progress!.audits[subtree] = Audit(disputing: first)
        } else {
            progress!.audits[subtree]!.dispute()
        }
    }

    /// The coordinator's own answer for a subtree is at hand: it decides where the subtree is in question, and counts where there is no
    /// other.
    mutating func computedOwn(_ step: UInt64, _ subtree: Subtree, _ assembly: StreamAssembly) {
        guard progress?.step == step, progress!.own == subtree else {
            return directives.append(.discardOwn(step: step, subtree: subtree))
        }
        progress!.own = nil
        if progress!.audits[subtree] != nil { return settle(subtree, assembly, isOwn: true) }
        if let first = progress!.answers[subtree] { return compareOwn(assembly, with: first, at: subtree) }
        guard !progress!.isOwnVoid else { return directives.append(.discardOwn(step: step, subtree: subtree)) }
        let own = FirstAnswer(worker: .coordinator, assembly: assembly, standing: .certain)
        progress!.answers[subtree] = own
        counters.shardsComputedLocally += subtree.count
        directives.append(.foldOwn(step: step, subtree: subtree))
        compareOthers(with: own, at: subtree)
        if !planted.contains(.ignoreDifference), outvotePartials(of: subtree, not: assembly) { restart() }
    }

    /// Holds the coordinator's own answer against a worker's that has come meanwhile.
    private mutating func compareOwn(_ own: StreamAssembly, with first: FirstAnswer, at subtree: Subtree) {
        let step = progress!.step
        if first.standing != .certain, !first.assembly.agrees(with: own), !planted.contains(.ignoreDifference) {
            reopen()
            dispute(subtree, first, by: .coordinator)
            if progress!.audits[subtree] != nil { return settle(subtree, own, isOwn: true) }
        }
        if first.assembly.agrees(with: own) { progress!.answers[subtree]!.standing = .certain }
        directives.append(.discardOwn(step: step, subtree: subtree))
    }

    /// The step that was whole is so no more: an answer in it is in question.
    private mutating func reopen() {
        guard progress!.isReduced else { return }
        progress!.isReduced = false
        counters.stepsReduced -= 1
    }

    /// Has the coordinator compute a subtree that somebody else may answer as well.
    mutating func computeOwn(_ subtree: Subtree) {
        progress!.own = subtree
        progress!.isOwnVoid = false
        directives.append(.computeOwn(step: progress!.step, subtree: subtree))
    }

    /// What is right is known: it goes into the tree, and who said otherwise goes.
    private mutating func settle(_ subtree: Subtree, _ right: StreamAssembly, isOwn: Bool) {
        let step = progress!.step
        let audit = progress!.audits.removeValue(forKey: subtree)!
        let first = progress!.answers[subtree]!
        let wasHeld = first.standing == .held
        if isAudited(subtree) { counters.audited += 1 }

        // The answer that is folded: the coordinator's own, or the first whose bytes are here. None where one is in the tree already.
        let chosen = isOwn || !wasHeld ? nil : audit.votes.first { $0.isStored && $0.assembly.agrees(with: right) }
        for vote in audit.votes where vote.isStored && vote.worker != chosen?.worker {
            directives.append(.discard(step: step, subtree: subtree, from: vote.worker))
        }
        let isRight = first.assembly.agrees(with: right)
        if wasHeld {
            if let chosen {
                progress!.answers[subtree] = FirstAnswer(
                    worker: chosen.worker, assembly: right, standing: .confirmed,
                    confirmedBy: audit.votes.first { $0.worker != chosen.worker }?.worker)
                directives.append(.fold(step: step, subtree: subtree, from: chosen.worker))
            } else {
                precondition(isOwn, "settle: of the answers for \(subtree) that agree none is here")
                progress!.answers[subtree] = FirstAnswer(
                    worker: .coordinator, assembly: right, standing: .certain)
                directives.append(.foldOwn(step: step, subtree: subtree))
            }
        } else {
            if isRight {
                progress!.answers[subtree]!.standing = isOwn ? .certain : .confirmed
            }
            if isOwn { directives.append(.discardOwn(step: step, subtree: subtree)) }
        }

        if audit.votes.contains(where: { $0.assembly.agrees(with: right) }) { noteHelpful() }
        var mustRestart = !wasHeld && !isRight
        for vote in audit.votes where !vote.assembly.agrees(with: right) {
            if outvote(vote.worker, subtree) { mustRestart = true }
        }
        if isOwn, outvotePartials(of: subtree, not: right) { mustRestart = true }
        if mustRestart {
            guard progress!.doubt != .none else { return restart() }
            progress!.doubt = .justified
        }
        guard progress!.doubt == .justified else { return noteWhole() }
        if progress!.audits.isEmpty { restart() }
    }

    /// Drops whoever has begun an answer that is wrong: what has come of one that has not ended, and may never, is as telling.
    ///
    /// - Returns: whether the tree holds an answer of one of them that nobody has confirmed.
    mutating func outvotePartials(of subtree: Subtree, not right: StreamAssembly) -> Bool {
        var mustRestart = false
        for member in membersInOrder where member.partials[subtree]?.assembly.agrees(with: right) == false {
            if outvote(member.id, subtree) { mustRestart = true }
        }
        return mustRestart
    }

    /// Names a worker whose answer is wrong, and drops it.
    ///
    /// - Returns: whether the tree holds an answer of it that nobody has confirmed.
    @discardableResult
    private mutating func outvote(_ worker: WorkerID, _ subtree: Subtree) -> Bool {
        let step = progress!.step
        // One that was dropped for another reason, a garbled frame for instance, is found out all the same.
        guard !banned.contains(where: { $0.worker == worker && $0.refusal.code == .outvoted }) else { return false }
        counters.outvoted += 1
        directives.append(.outvoted(worker, step: step, subtree: subtree))
        ban(
            worker,
            Refusal(
                .outvoted,
                "its gradients for step \(step + 1), shards \(subtree), are not what others compute; this machine computes wrongly"
            ))
        for (other, audit) in progress!.audits.sorted(by: { $0.key.first < $1.key.first })
        where audit.hasVote(of: worker) {
            if progress!.answers[other]?.standing == .held { forgetAnswers(for: other) }
        }
        return progress!.answers.values.contains {
            $0.standing == .taken && $0.worker == worker
                || $0.standing == .confirmed && ($0.worker == worker || $0.confirmedBy == worker)
        }
    }

    /// Lets go of all that has come for a subtree and is not in the tree: it is computed again.
    mutating func forgetAnswers(for subtree: Subtree) {
        let step = progress!.step
        for vote in progress!.audits.removeValue(forKey: subtree)?.votes ?? [] where vote.isStored {
            directives.append(.discard(step: step, subtree: subtree, from: vote.worker))
        }
        progress!.answers[subtree] = nil
        // Of another's late answer the frames are gone that came after the first was whole.
        for other in membersInOrder {
            guard let partial = other.partials[subtree], !partial.isStored else { continue }
            members[other.id]!.partials[subtree] = nil
            markAnswered(subtree, by: other.id)
        }
        makePending([subtree])
    }

    /// Lets go of every answer that waits to be confirmed.
    mutating func discardVotes() {
        guard let progress else { return }
        for (subtree, audit) in progress.audits.sorted(by: {
            ($0.key.first, $0.key.count) < ($1.key.first, $1.key.count)
        }) {
            for vote in audit.votes where vote.isStored {
                directives.append(.discard(step: progress.step, subtree: subtree, from: vote.worker))
            }
        }
        self.progress!.audits = [:]
    }

    /// So often a step is begun anew with workers.
    static let restartLimit = 3

    /// Begins the step's sum anew: a wrong gradient is in it. Ranges in workers' hands go on.
    mutating func restart() {
        let step = progress!.step
        counters.stepsRestarted += 1
        directives.append(.restartStep(step))
        progress!.restarts += 1
        // What was computed here in place of theirs is not in the sum any more.
        progress!.suspects = []
        discardVotes()
        progress!.answers = [:]
        progress!.doubt = .none
        progress!.counted = 0
        progress!.inTree = ShardSet()
        var pending = ShardSet(ShardRange(first: 0, count: configuration.shards))
        if let local = progress!.local { pending.remove(local.shards) }
        if let own = progress!.own, !progress!.isOwnVoid { pending.remove(own.shards) }
        for subtree in progress!.recheck { pending.remove(subtree.shards) }
        defer {
            progress!.pending = pending
            noteMovement()
        }
        // Whoever comes under ever new names could have the step begun anew without end.
        guard progress!.restarts < Self.restartLimit else { return distrustWorkers() }
        for member in membersInOrder {
            for (subtree, partial) in member.partials where !partial.isStored {
                members[member.id]!.partials[subtree] = nil
                markAnswered(subtree, by: member.id)
            }
            for assignment in members[member.id]!.outstanding where assignment.step == step {
                for subtree in assignment.unanswered { pending.remove(subtree.shards) }
            }
        }
    }

    /// The coordinator computes the rest of the step by itself: nothing that is answered for it counts any more.
    private mutating func distrustWorkers() {
        if progress!.isForWorkers { directives.append(.distrusted(step: progress!.step)) }
        progress!.isForWorkers = false
        for member in membersInOrder { discardPartials(of: member.id) }
    }

    /// Sees to it that every subtree in question is being computed as often as it takes.
    mutating func giveOutAudits() {
        guard let step = progress?.step else { return }
        for subtree in subtreesInQuestion() {
            let audit = progress!.audits[subtree] ?? Audit()
            guard !audit.isDisputed else {
                if progress!.own == nil { computeOwn(subtree) }
                continue
            }
            let holders = membersInOrder.filter { $0.holds(subtree, of: step) }
            // Whose answer already differs may never end it.
            let inWork = holders.count { !isLate($0) && $0.partials[subtree]?.hasConflict != true }
            let needsOtherKey = progress!.hasSeveralKeys
            let ready = membersInOrder.filter { member in
                member.wanted > 0 && !member.isSuspect && member.isReliable && member.restsUntil == nil
                    && !isLate(member)
            }
            let bound = worthwhilePace(of: ready, for: configuration.shards)
            let able = ready.filter { member in
                !member.holds(subtree, of: step) && member.keepsPace(bound)
                    && !audit.votes.contains { $0.worker == member.id || needsOtherKey && $0.key == member.key }
            }
            // What comes second takes no room once the first is here.
            let lacking = (audit.votes.isEmpty && answerRoom > 0 ? 2 : 1) - inWork
            guard lacking > 0 else { continue }
            if able.isEmpty {
                if !audit.votes.isEmpty, progress!.own == nil { computeOwn(subtree) }
                continue
            }
            for taker in able.filter(\.hasRoom).sorted(by: {
                ($0.distrust, $0.outstanding.count, $0.number) < ($1.distrust, $1.outstanding.count, $1.number)
            })
            .prefix(lacking) {
                assign(subtree.range, to: taker.id)
            }
        }
    }

    private func subtreesInQuestion() -> [Subtree] {
        guard let progress else { return [] }
        var found = Set(progress.audits.keys)
        if !progress.audited.isEmpty {
            for member in members.values {
                for assignment in member.outstanding where assignment.step == progress.step {
                    for subtree in assignment.unanswered where progress.answers[subtree] == nil && isAudited(subtree) {
                        found.insert(subtree)
                    }
                }
            }
        }
        return found.sorted { ($0.first, $0.count) < ($1.first, $1.count) }
    }
}
