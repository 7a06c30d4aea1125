/// Who computes what.
extension CoordinatorMachine {
    /// Gives out what is pending, then repeats stragglers' ranges, then computes here when nobody else can.
    mutating func giveOutWork() {
        noteHelp()
        noteRest()
        guard let step = progress, !step.isReduced else { return }
        if step.isForWorkers { giveOutToWorkers() }
        computeAlone()
    }

    private mutating func giveOutToWorkers() {
        while !progress!.pending.isEmpty {
            let (idle, tried) = worthwhile(idleMembers)
            let takers =
                idle.isEmpty
                ? membersInOrder.filter { $0.hasRoom && !$0.isIdle && !isOverdue($0) }
                : idle.prefix(answerRoom).map(\.self)
            guard !takers.isEmpty else {
                guard !idle.isEmpty, makeRoom() else { break }
                continue
            }
            // Where they were waited for in vain the coordinator does its part, and they may still show that they are of use.
            let own = isLeftAlone && progress!.pending.count > 1 ? 1 : 0
            let ranges = ShardPartition.split(progress!.pending, into: takers.count + own)
            for (taker, range) in zip(takers, ranges.dropLast(own)) {
                progress!.pending.remove(range.shards)
                chooseForAudit(range)
                assign(range, to: taker.id)
                if tried.contains(taker.id) { noteTrial(of: taker.id, with: range) }
            }
            if own > 0 { break }
        }
        if progress!.pending.isEmpty {
            giveOutAudits()
            repeatStragglers()
        }
    }

    /// Who has nothing at hand: those last of whom least came in time, and else in the order they joined.
    private var idleMembers: [Member] {
        members.values.filter(\.isIdle).sorted { ($0.distrust, $0.number) < ($1.distrust, $1.number) }
    }

    /// Those of the idle that make the step end sooner: not those of whose last ranges nothing came in time, nor the slowest where it
    /// would end in less than half the time without them. Some of those that are passed over are tried now and then: they may do better by
    /// now. None, where others have room that are still at work on a step that is over.
    private func worthwhile(_ idle: [Member]) -> (takers: [Member], tried: Set<WorkerID>) {
        let reliable = members.values.filter { member in
            member.isReliable && member.hasRoom && !isLate(member)
                && member.outstanding.allSatisfy { $0.step != progress!.step }
        }
        guard !reliable.isEmpty else { return (idle, []) }
        let bound = worthwhilePace(of: reliable, for: progress!.pending.count)
        func isWorthwhile(_ member: Member) -> Bool { member.isReliable && member.keepsPace(bound) }
        let others = idle.filter { !isWorthwhile($0) }.sorted { ($0.triedAt, $0.number) < ($1.triedAt, $1.number) }
        let tried = now >= nextTrial ? Set(others.prefix(max(1, others.count / 4)).map(\.id)) : []
        return (idle.filter { isWorthwhile($0) || tried.contains($0.id) }, tried)
    }

    private mutating func noteTrial(of worker: WorkerID, with range: ShardRange) {
        members[worker]!.triedAt = now
        members[worker]!.isTried = true
        nextTrial = now + max(configuration.trialPause, (usualTime(of: range.count) ?? .zero) * 20)
    }

    /// The longest time for a shard with which a worker is of use beside these.
    func worthwhilePace(of workers: [Member], for shards: Int) -> Duration {
        let times = workers.compactMap(\.shardTimes.median).sorted()
        guard let slowest = times.last else { return .zero }
        let unknown = workers.count - times.count
        func time(ofFastest count: Int) -> Duration {
            times[count - 1] * ((shards + count + unknown - 1) / (count + unknown))
        }
        guard let best = (1..<times.count).min(by: { time(ofFastest: $0) < time(ofFastest: $1) }),
            time(ofFastest: best) * 2 < time(ofFastest: times.count)
        else { return slowest }
        return times[best - 1]
    }

    /// How many more workers may be at work on answers of this step, each of which takes as much room as all parameters while it arrives;
    /// one at least where nobody is.
    ///
    /// Whoever is late does not count before his answer begins to arrive: others do his work, and he may never answer.
    var answerRoom: Int {
        guard configuration.answerRoom < .max, progress != nil else { return .max }
        let arriving = members.values.count { member in
            member.storesPartial || !isLate(member) && holdsUnanswered(member)
        }
        return max(configuration.answerRoom - arriving - answersKept, arriving == 0 ? 1 : 0)
    }

    /// Whether an answer that begins to arrive now can be kept.
    var hasRoomForAnswer: Bool {
        guard configuration.answerRoom < .max else { return true }
        let arriving = members.values.count(where: \.storesPartial)
        return arriving == 0 || arriving + answersKept < configuration.answerRoom
    }

    /// Whole answers that wait to be confirmed, or for their neighbours in the sum.
    private var answersKept: Int {
        guard let progress else { return 0 }
        return progress.audits.values.reduce(0) { $0 + $1.votes.count(where: \.isStored) }
            + progress.inTree.pieces.reduce(0) { $0 + $1.subtrees.count }
    }

    private func holdsUnanswered(_ member: Member) -> Bool {
        guard let progress else { return false }
        return member.outstanding.contains { assignment in
            assignment.step == progress.step && assignment.unanswered.contains { progress.answers[$0] == nil }
        }
    }

    /// Lets go of an answer that has begun to arrive, from somebody who is late, and of which nothing more has come for a while.
    ///
    /// - Returns: whether there was one.
    private mutating func makeRoom() -> Bool {
        for member in membersInOrder where isLate(member) {
            guard
                let (subtree, _) = member.partials.first(where: {
                    $0.value.isStored && now - $0.value.movedAt > configuration.stuckAfter
                })
            else { continue }
            withdraw(subtree, from: member.id)
            return true
        }
        return false
    }

    /// Takes a subtree back from a worker: what has come of its answer is let go of, and the rest does not count any more.
    mutating func withdraw(_ subtree: Subtree, from worker: WorkerID) {
        let step = progress!.step
        if let partial = members[worker]!.partials.removeValue(forKey: subtree), partial.isStored {
            directives.append(.discard(step: step, subtree: subtree, from: worker))
        }
        for index in members[worker]!.outstanding.indices where members[worker]!.outstanding[index].step == step {
            members[worker]!.outstanding[index].unanswered.removeAll { $0 == subtree }
            members[worker]!.outstanding[index].isTakenBack = true
        }
        makePending([subtree])
    }

    mutating func assign(_ range: ShardRange, to worker: WorkerID) {
        let step = progress!.step
        if members[worker]!.publishedStep != step {
            members[worker]!.publishedStep = step
            directives.append(.publishParameters(to: worker, step: step))
        }
        let isFirst = members[worker]!.outstanding.isEmpty
        members[worker]!.outstanding.append(
            Assignment(step: step, range: range, unanswered: range.subtrees, startedAt: isFirst ? now : nil))
        members[worker]!.lastMoved = now
        counters.rangesAssigned += 1
        directives.append(.assign(range, step: step, to: worker))
    }

    /// A worker says that it is done with a range; what it did not answer was lost on the way, or dropped by it.
    mutating func finished(_ range: ShardRange, step: UInt64, by worker: WorkerID) {
        guard let index = members[worker]!.outstanding.firstIndex(where: { $0.step == step && $0.range == range })
        else { return }
        let isLate = index == 0 && isLate(members[worker]!)
        let assignment = members[worker]!.retire(at: index, now: now)
        guard step == progress?.step else {
            // Others were quicker, or it was never answered. Who had only begun to repeat it has not failed.
            if isLate, !assignment.unanswered.isEmpty { members[worker]!.fail() }
            return noteShardTime(assignment, of: worker)
        }
        if !assignment.unanswered.isEmpty, progress!.isForWorkers { noteEmptyHands(of: worker) }
        for subtree in assignment.unanswered {
            guard let partial = members[worker]!.partials.removeValue(forKey: subtree), partial.isStored else {
                continue
            }
            directives.append(.discard(step: step, subtree: subtree, from: worker))
        }
        giveBack(assignment)
    }

    /// The first time the answer may have been lost on the way. From the second on the worker has to wait, each time longer.
    private mutating func noteEmptyHands(of worker: WorkerID) {
        let failures = members[worker]!.fail()
        guard failures > 1 else { return }
        members[worker]!.restsUntil =
            now + min(.milliseconds(25) * (1 << (2 * failures - 2)), configuration.longestRest)
    }

    private mutating func noteRest() {
        for (id, member) in members where member.restsUntil.map({ $0 <= now }) ?? false {
            members[id]!.restsUntil = nil
        }
    }

    mutating func giveBack(_ assignment: Assignment) {
        guard assignment.step == progress?.step else { return }
        makePending(assignment.unanswered)
    }

    /// Makes those subtrees pending that have no answer and are in nobody's hands.
    mutating func makePending(_ subtrees: [Subtree]) {
        guard let step = progress?.step, progress!.isForWorkers else { return }
        for subtree in subtrees where progress!.answers[subtree] == nil {
            guard progress!.own != subtree || progress!.isOwnVoid,
                !members.values.contains(where: { $0.holds(subtree, of: step) })
            else {
                continue
            }
            progress!.pending.insert(subtree.shards)
        }
    }

    private mutating func repeatStragglers() {
        for idle in repeaters {
            guard let (straggler, range) = oldestStraggler() else { return }
            guard answerRoom > 0 else {
                if makeRoom() { giveOutToWorkers() }
                return
            }
            counters.rangesRepeated += 1
            directives.append(.repeated(range, step: progress!.step, of: straggler, by: idle.id))
            assign(range, to: idle.id)
        }
    }

    /// Who may repeat a range, those first of whom an answer is to be expected soonest: of the others it would have to be taken over in turn.
    private var repeaters: [Member] {
        func rank(_ member: Member) -> (Int, Int, Duration, Int) {
            (member.distrust, member.isProven ? 0 : 1, member.shardTimes.median ?? .seconds(1 << 30), member.number)
        }
        return members.values.filter(\.isIdle).sorted { rank($0) < rank($1) }
    }

    /// The unanswered part of a range that is late and that no other worker computes who could be counted on.
    private func oldestStraggler() -> (worker: WorkerID, range: ShardRange)? {
        guard let progress else { return nil }
        var oldest: (holders: Int, startedAt: Duration, worker: WorkerID, range: ShardRange)?
        for member in membersInOrder {
            // A range behind a late one, or behind one of a step that is over, is as late as that.
            guard let startedAt = member.outstanding.first?.startedAt, isLate(member) else { continue }
            for assignment in member.outstanding where assignment.step == progress.step {
                guard let range = unsharedPart(of: assignment, held: member.id) else { continue }
                let holders = members.values.count { other in
                    other.outstanding.contains { $0.step == progress.step && $0.range.shards.contains(range.first) }
                }
                if oldest.map({ (holders, startedAt) < ($0.holders, $0.startedAt) }) ?? true {
                    oldest = (holders, startedAt, member.id, range)
                }
            }
        }
        return oldest.map { ($0.worker, $0.range) }
    }

    /// Whether it is time that somebody else computes what a worker holds.
    func isLate(_ member: Member) -> Bool {
        if member.isSuspect || isOverdue(member) { return true }
        guard let first = member.outstanding.first, let startedAt = first.startedAt else { return false }
        // Before any range is done nobody knows how long one takes: a worker that has all of the first step and never ends would keep
        // an idle one waiting for ever.
        guard let usual = usualTime(of: first.range.count) else {
            return now - startedAt > configuration.lateWithoutMedian
        }
        let patience = max(member.isProven ? configuration.stragglerMinimum : .zero, usual * 2)
        // An idle worker of which nothing is known yet may be much faster than those are whose times are.
        return now - startedAt > patience || now - startedAt > configuration.lateWithoutMedian && hasUnknownIdle
    }

    private var hasUnknownIdle: Bool { members.values.contains { $0.isIdle && $0.shardTimes.median == nil } }

    /// How long a range takes: the median of the last, and no more than twice what it takes the fastest worker.
    ///
    /// The median alone would follow workers that answer each time just before they are late: the step would wait as long as they like.
    func usualTime(of shards: Int) -> Duration? {
        guard let median = rangeTimes.median else { return nil }
        guard let fastestShardTime else { return median }
        return min(median, fastestShardTime * shards * 2)
    }

    mutating func noteShardTime(_ assignment: Assignment, of worker: WorkerID) {
        guard let startedAt = assignment.startedAt else { return }
        members[worker]!.shardTimes.record((now - startedAt) / assignment.range.count)
        noteFastest()
    }

    /// Of those that still take part: one that was quick once, for whatever reason, makes nobody late for ever.
    mutating func noteFastest() {
        let since = now - max(.seconds(30), (rangeTimes.median ?? .zero) * 4)
        fastestShardTime =
            members.values.filter { $0.wanted > 0 && $0.answeredAt >= since }.compactMap(\.shardTimes.median).min()
    }

    /// Whether somebody who is not proven holds some of the step at hand: it may have to be taken over soon, and `tick` should come often.
    package var awaitsUnproven: Bool {
        guard let progress, !progress.isReduced else { return false }
        return members.values.contains { member in
            !member.isProven && member.outstanding.contains { $0.step == progress.step }
        }
    }

    /// How long a worker may hold a range and still be counted on.
    private func overdueAge(of shards: Int) -> Duration {
        max(configuration.overdueAfter, (usualTime(of: shards) ?? .zero) * 8)
    }

    /// Whether a worker holds a range for so long that it cannot be counted on: it may never answer, however alive it says it is.
    func isOverdue(_ member: Member) -> Bool {
        guard let first = member.outstanding.first, let startedAt = first.startedAt else { return false }
        return now - startedAt > overdueAge(of: first.range.count)
    }

    /// The first unbroken run of subtrees that nobody has answered and no other worker computes who could be counted on.
    private func unsharedPart(of assignment: Assignment, held worker: WorkerID) -> ShardRange? {
        var part: Range<Int>?
        for subtree in assignment.unanswered {
            let isShared =
                progress!.answers[subtree] != nil
                || members.values.contains {
                    $0.id != worker && !isLate($0) && $0.holds(subtree, of: assignment.step)
                }
            if let begun = part {
                guard !isShared, subtree.first == begun.upperBound else { break }
                part = begun.lowerBound..<subtree.end
            } else if !isShared {
                part = subtree.shards
            }
        }
        return part.map { ShardRange($0) }
    }

    /// Takes note of whether there is anybody who could compute.
    mutating func noteHelp() {
        if members.values.contains(where: { $0.helps(at: now) && !isOverdue($0) }) {
            aloneSince = nil
        } else if aloneSince == nil, progress != nil {
            aloneSince = now
        }
    }

    /// A worker's answer was of use, or would have been.
    mutating func noteHelpful() {
        (lastHelp, progress!.hadHelp) = (now, true)
    }

    /// Something has come for the step.
    mutating func noteMovement() {
        progress?.lastMoved = now
        progress?.nextNotice = configuration.noticeAfter
    }

    /// Says now and then that nothing comes.
    mutating func noteWaiting() {
        guard let step = progress, !step.isReduced, step.local == nil else { return }
        let waited = now - step.lastMoved
        guard waited >= step.nextNotice else { return }
        progress!.nextNotice = max(step.nextNotice, waited / 2) * 2
        directives.append(.waiting(for: waited))
    }

    private mutating func computeAlone() {
        if progress!.local == nil, let subtree = progress!.recheck.popLast() {
            progress!.local = subtree.range
            return directives.append(.computeLocally(step: progress!.step, range: subtree.range))
        }
        guard progress!.local == nil, isLeftAlone || !progress!.isForWorkers else { return }
        if lacksHelp { progress!.wasAbandoned = true }
        guard let piece = progress!.pending.pieces.first else {
            if progress!.own == nil, let subtree = longestHeld() {
                computeOwn(subtree)
            }
            return
        }
        let subtree = Subtree.largest(startingAt: piece.first, within: min(piece.count, configuration.localShards))
        progress!.pending.remove(subtree.shards)
        progress!.local = subtree.range
        directives.append(.computeLocally(step: progress!.step, range: subtree.range))
    }

    /// Whether nobody is there who could compute, or whoever is does not: workers that come and go, say that they are done and have
    /// answered nothing, or send without end.
    private var isLeftAlone: Bool {
        if let aloneSince, now - aloneSince >= configuration.fallbackAfter { return true }
        return lacksHelp
    }

    private var lacksHelp: Bool {
        now - lastHelp >= overdueAge(of: configuration.shards) + configuration.fallbackAfter
    }

    /// What is in workers' hands and keeps the step waiting: the one that is there for longest.
    private func longestHeld() -> Subtree? {
        guard let progress else { return nil }
        var longest: (startedAt: Duration, subtree: Subtree)?
        for member in membersInOrder {
            guard let startedAt = member.outstanding.first?.startedAt, longest.map({ startedAt < $0.startedAt }) ?? true
            else { continue }
            for assignment in member.outstanding where assignment.step == progress.step {
                guard let subtree = assignment.unanswered.first(where: { progress.answers[$0] == nil }) else {
                    continue
                }
                longest = (startedAt, subtree)
                break
            }
        }
        return longest?.subtree
            ?? progress.audits.keys.min { ($0.first, $0.count) < ($1.first, $1.count) }
    }
}
