/// A coordinator's side of the protocol as a value: events in, directives out; no socket, no clock, no file.
///
/// Workers are stateless and pull. At the start of a step the pending shards are cut into nearly equal ranges, one for
/// each idle worker. What a lost worker held is pending again at once. An idle worker with nothing pending repeats a
/// straggler's range: the first whole answer counts, a second one must be equal to the byte. Whoever holds a range for very
/// long is not counted on, whatever it says of itself. Without workers that are, the coordinator computes small ranges
/// itself until one comes.
///
/// Instants are durations since any fixed moment of a clock that never goes back. Of a step nothing is kept when the
/// next begins but what workers still hold of it; what lives longer is counters.
package struct CoordinatorMachine: Sendable {
    package let configuration: CoordinatorConfiguration
    package internal(set) var counters = CoordinatorCounters()

    var members: [WorkerID: Member] = [:]
    var nextNumber = 0
    /// Who was dropped, and with which words; the last few.
    var banned: [(worker: WorkerID, refusal: Refusal)] = []
    static let bannedLimit = 64
    /// Workers that were lost, the last few: one that comes again is not one more.
    var departed: [WorkerID] = []
    static let departedLimit = 64
    /// As many as were taken off the allow-list while this process ran.
    var revokedKeys: Set<PeerKey> = []

    var progress: StepProgress?
    var rangeTimes = RangeTimes(keeping: 31)
    /// What the fastest worker on the roster takes for a shard.
    var fastestShardTime: Duration?
    /// When some of those that are passed over may be tried again.
    var nextTrial: Duration = .zero
    /// Since when there is nobody who could compute; nil while there is somebody.
    var aloneSince: Duration?
    /// When an answer of a worker was last taken into the tree, or the step begun.
    var lastHelp: Duration = .zero
    var stopReason: String?
    /// Workers that were told to stop and have not said goodbye: a connection that is closed under them may take the word with it.
    package internal(set) var leaving: Set<WorkerID> = []

    var now: Duration = .zero
    var directives: [CoordinatorDirective] = []

    package init(_ configuration: CoordinatorConfiguration) {
        self.configuration = configuration
    }

    /// Takes one event in and says what is to be done, in order.
    package mutating func handle(_ event: CoordinatorEvent, at instant: Duration) -> [CoordinatorDirective] {
        now = max(now, instant)
        switch event {
        case .received(let message, let worker, let key):
            if admits(worker, key) { receive(message, from: worker, key) }
        case .undecodable(let error, let worker, let key):
            if admits(worker, key) { receiveMalformed(error, from: worker) }
        case .revoked(let key): revoke(key)
        case .beginStep(let step): begin(step)
        case .folded(let step, let subtree): folded(step, subtree)
        case .unusable(let step, let subtree, let reason): unusable(step, subtree, reason)
        case .nonFinite(let step, let subtree, let part): nonFinite(step, subtree, part)
        case .nonFiniteSum(let step): nonFiniteSum(step)
        case .computedLocally(let step, let range): computedLocally(step, range)
        case .computedOwn(let step, let subtree, let assembly): computedOwn(step, subtree, assembly)
        case .workerExited(let worker): lose(worker, .exited)
        case .nobodyComes: if members.isEmpty { aloneSince = now - configuration.fallbackAfter }
        case .sendFailed(let worker): lose(worker, .unreachable)
        case .suspended(let duration): shiftInstants(by: duration)
        case .tick: checkSilence()
        case .stop(let reason): stop(reason)
        }
        if stopReason == nil { giveOutWork() }
        if case .tick = event { noteWaiting() }
        defer { directives = [] }
        return directives
    }

    /// Whether a message under this name and key is that of a worker on the roster.
    package func isMember(_ worker: WorkerID, _ key: PeerKey?) -> Bool {
        members[worker].map { $0.key == key } ?? false
    }

    /// The labels of the workers on the roster, in the order they joined.
    package var roster: [(worker: WorkerID, label: String)] {
        membersInOrder.map { ($0.id, $0.hello.label) }
    }

    /// What the step is waiting for: the ranges in each worker's hands, and how long the worker has been at work on them or on
    /// what it has to finish before; the longest first.
    package var waitingFor: [(worker: WorkerID, ranges: [ShardRange], waited: Duration)] {
        guard let progress, !progress.isReduced else { return [] }
        return membersInOrder.compactMap { member in
            let ranges = member.outstanding.filter { $0.step == progress.step }.map(\.range)
            guard !ranges.isEmpty, let since = member.outstanding.first?.startedAt else { return nil }
            return (member.id, ranges, now - since)
        }.sorted { $0.waited > $1.waited }
    }

    /// How much the machine holds, for those who check that it does not grow.
    package var load: (members: Int, ranges: Int, partialAnswers: Int, answers: Int, held: Int, banned: Int) {
        (
            members.count, members.values.reduce(0) { $0 + $1.outstanding.count },
            members.values.reduce(0) { $0 + $1.partials.count }, progress?.answers.count ?? 0,
            progress?.audits.values.reduce(0) { $0 + $1.votes.count(where: \.isStored) } ?? 0, banned.count
        )
    }

    var planted: PlantedBugs { configuration.framing.planted }

    var membersInOrder: [Member] {
        members.values.sorted { $0.number < $1.number }
    }

    private mutating func begin(_ step: UInt64) {
        for member in membersInOrder { discardPartials(of: member.id) }
        discardVotes()
        // The run went on, so the numbers were finite here: these workers' were not.
        for (worker, reason) in progress?.suspects ?? [] { drop(worker, .payload, reason: reason) }
        // Nobody who was there has done anything of the step before, and it was waited for that: once is enough.
        let stayedAlone = progress.map { $0.wasAbandoned && !$0.hadHelp } ?? false
        progress = StepProgress(
            step: step, pending: ShardSet(ShardRange(first: 0, count: configuration.shards)), lastMoved: now,
            nextNotice: configuration.noticeAfter)
        if !stayedAlone { lastHelp = now }
        noteKeys()
        noteHelp()
    }

    private mutating func shiftInstants(by duration: Duration) {
        func later(_ instant: Duration) -> Duration { min(now, instant + duration) }
        for id in members.keys {
            members[id]!.lastHeard = later(members[id]!.lastHeard)
            members[id]!.lastMoved = later(members[id]!.lastMoved)
            members[id]!.joinedAt = later(members[id]!.joinedAt)
            if members[id]!.restsUntil != nil { members[id]!.restsUntil! += duration }
            for subtree in members[id]!.partials.keys {
                members[id]!.partials[subtree]!.movedAt = later(members[id]!.partials[subtree]!.movedAt)
            }
            for index in members[id]!.outstanding.indices {
                members[id]!.outstanding[index].startedAt = members[id]!.outstanding[index].startedAt.map(later)
            }
        }
        aloneSince = aloneSince.map(later)
        lastHelp = later(lastHelp)
        nextTrial += duration
        if let lastMoved = progress?.lastMoved { progress!.lastMoved = later(lastMoved) }
    }

    private mutating func stop(_ reason: String) {
        guard stopReason == nil else { return }
        stopReason = reason
        for member in membersInOrder {
            discardPartials(of: member.id)
            tellToStop(member.id, reason)
        }
        discardVotes()
        members = [:]
        progress = nil
    }

    mutating func tellToStop(_ worker: WorkerID, _ reason: String) {
        if leaving.count < configuration.maximumWorkers { leaving.insert(worker) }
        send(.stop(reason: reason), to: worker)
    }

    mutating func send(_ body: Message.Body, to worker: WorkerID) {
        directives.append(
            .send(Message(body, run: configuration.run, incarnation: configuration.incarnation), to: worker))
    }

    mutating func countStale(_ reason: CoordinatorCounters.Stale) {
        counters.stale[reason, default: 0] += 1
    }
}
