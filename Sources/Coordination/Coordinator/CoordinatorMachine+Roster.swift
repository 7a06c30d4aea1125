/// Who takes part: hello, pulls, pings, silence, loss.
extension CoordinatorMachine {
    mutating func receive(_ message: Message, from worker: WorkerID, _ key: PeerKey?) {
        if let stopReason {
            countStale(.stopped)
            switch message.body {
            case .goodbye: leaving.remove(worker)
            // Its frames come many at a time, and the pull behind them is told as well.
            case .answer: break
            default: tellToStop(worker, stopReason)
            }
            return
        }
        if case .hello(let hello) = message.body { return receiveHello(hello, from: worker, key) }

        guard members[worker] != nil else {
            countStale(.unknownSender)
            switch message.body {
            case .pull, .ping: send(.register, to: worker)
            // One reply to an answer of many frames.
            case .answer where message.header.offset == 0: send(.register, to: worker)
            default: break
            }
            return
        }
        members[worker]!.lastHeard = now
        members[worker]!.isSuspect = false
        guard message.header.run == configuration.run else { return countStale(.run) }
        guard message.header.incarnation == configuration.incarnation || planted.contains(.acceptStaleIncarnation)
        else {
            return countStale(.incarnation)
        }

        switch message.body {
        case .pull(let status):
            guard take(status, from: worker) else { return }
            if let range = message.header.range { finished(range, step: message.header.step, by: worker) }
            letGo(worker, status)
        case .ping(let status):
            guard take(status, from: worker) else { return }
            letGo(worker, status)
            send(.pong, to: worker)
        case .answer: receiveAnswer(message.header, from: worker)
        case .goodbye(let reason): lose(worker, .left(reason))
        case .hello, .welcome, .refused, .parameters, .assignment, .register, .pong, .stop: break
        }
    }

    mutating func receiveMalformed(_ error: DecodeError, from worker: WorkerID) {
        if error.code == .version {
            counters.malformed[.version, default: 0] += 1
            let refusal = Refusal(
                .version, "the coordinator speaks protocol version \(error.wanted), the worker \(error.got)")
            remove(worker)
            refuse(worker, refusal)
        } else if members[worker] != nil {
            drop(worker, error.code, reason: error.message)
        } else {
            counters.malformed[error.code, default: 0] += 1
        }
    }

    private mutating func receiveHello(_ hello: Hello, from worker: WorkerID, _ key: PeerKey?) {
        if let member = members[worker], hello.session <= member.hello.session {
            members[worker]!.lastHeard = now
            return countStale(.session)
        }
        if let ban = banned.first(where: { $0.worker == worker }) {
            countStale(.banned)
            return send(.refused(ban.refusal), to: worker)
        }
        if let refusal = refusal(of: hello, from: worker) {
            remove(worker)
            return refuse(worker, refusal)
        }

        var member = Member(
            id: worker, number: nextNumber, hello: hello, key: key, isProven: rangeTimes.median == nil, at: now)
        if let before = members[worker] {
            // It is here again: its work is for others, and it is neither lost nor one more. What is known of it stays.
            let heldWork = !before.outstanding.isEmpty
            member.resume(before)
            remove(worker)
            if heldWork { directives.append(.lost(worker, .restarted)) }
        } else if let index = departed.firstIndex(of: worker) {
            departed.remove(at: index)
        } else {
            counters.joined += 1
        }
        members[worker] = member
        nextNumber += 1
        noteKeys()
        send(
            .welcome(
                Welcome(
                    session: hello.session, shards: UInt32(configuration.shards),
                    parameterBytes: configuration.parameterBytes, answerLimit: configuration.answerLimit,
                    assignmentLimit: configuration.assignmentLimit, controlEndpoint: configuration.controlEndpoint,
                    model: configuration.model)),
            to: worker)
        directives.append(.joined(worker, hello))
    }

    private func refusal(of hello: Hello, from worker: WorkerID) -> Refusal? {
        // Names that begin so are the socket's own: another peer's on each of the two sockets, and after each break.
        if worker.bytes.first == 0 {
            return Refusal(.malformed, "its socket has no name; expected a routing id whose first byte is not zero")
        }
        if hello.version != configuration.version {
            return Refusal(
                .version, "the coordinator is version \(configuration.version), the worker \(hello.version)")
        }
        if hello.fingerprint != configuration.fingerprint {
            return Refusal(
                .fingerprint, "numerics fingerprint: the coordinator's arithmetic and the worker's give different bits")
        }
        if members[worker] == nil, members.count >= configuration.maximumWorkers {
            return Refusal(.full, "there are \(members.count) workers, as many as the coordinator takes")
        }
        return nil
    }

    /// Takes note of how a worker stands; false when that was before its last hello.
    private mutating func take(_ status: WorkerStatus, from worker: WorkerID) -> Bool {
        guard status.session == members[worker]!.hello.session else {
            countStale(.session)
            return false
        }
        // Two at most: one being computed, one on its way.
        members[worker]!.wanted = Int(min(status.wanted, 2))
        members[worker]!.isComputing = status.isComputing
        if status.isComputing || status.progress != members[worker]!.progress { members[worker]!.lastMoved = now }
        members[worker]!.progress = status.progress
        return true
    }

    /// What a worker that computes nothing was given of a step that is over it has lost on the way: it must not keep it from other work.
    private mutating func letGo(_ worker: WorkerID, _ status: WorkerStatus) {
        guard !status.isComputing, let step = progress?.step, members[worker] != nil else { return }
        while let index = members[worker]!.outstanding.firstIndex(where: { $0.step < step }) {
            let assignment = members[worker]!.outstanding[index]
            finished(assignment.range, step: assignment.step, by: worker)
        }
    }

    mutating func checkSilence() {
        for member in membersInOrder {
            let silence = now - member.lastHeard
            if silence >= configuration.lostAfter {
                lose(member.id, .silent(silence))
            } else if silence >= configuration.suspectAfter {
                if !member.isSuspect { directives.append(.suspected(member.id, silentFor: silence)) }
                members[member.id]!.isSuspect = true
            } else if !member.outstanding.isEmpty, !member.isComputing,
                now - member.lastMoved >= configuration.stallAfter
            {
                lose(member.id, .stalled)
                send(.register, to: member.id)
            }
        }
    }

    mutating func lose(_ worker: WorkerID, _ reason: LossReason) {
        leaving.remove(worker)
        guard members[worker] != nil else { return }
        remove(worker)
        noteLoss(worker, reason)
    }

    /// Takes an offender off the roster and tells it so.
    ///
    /// - Parameter code: what it is counted as.
    mutating func drop(_ worker: WorkerID, _ code: DecodeError.Code, reason: String) {
        counters.malformed[code, default: 0] += 1
        expel(worker, Refusal(.malformed, "malformed message: \(reason)"), reason: reason)
    }

    mutating func expel(_ worker: WorkerID, _ refusal: Refusal, reason: String) {
        directives.append(.dropped(worker, reason: reason))
        ban(worker, refusal)
    }

    /// Takes a worker off the roster for good.
    mutating func ban(_ worker: WorkerID, _ refusal: Refusal) {
        let isHere = members[worker] != nil
        remove(worker)
        if let index = banned.firstIndex(where: { $0.worker == worker }) {
            banned.remove(at: index)
        } else {
            counters.dropped += 1
        }
        banned.append((worker, refusal))
        if banned.count > CoordinatorMachine.bannedLimit { banned.removeFirst() }
        if isHere { send(.refused(refusal), to: worker) }
    }

    private mutating func refuse(_ worker: WorkerID, _ refusal: Refusal) {
        counters.refused += 1
        send(.refused(refusal), to: worker)
        directives.append(.refused(worker, refusal))
    }

    private mutating func noteLoss(_ worker: WorkerID, _ reason: LossReason) {
        counters.lost += 1
        departed.append(worker)
        if departed.count > CoordinatorMachine.departedLimit { departed.removeFirst() }
        directives.append(.lost(worker, reason))
    }

    /// Takes a worker off the roster; what it held and nobody else holds is pending again.
    private mutating func remove(_ worker: WorkerID) {
        guard members[worker] != nil else { return }
        discardPartials(of: worker)
        let assignments = members[worker]!.outstanding
        members[worker] = nil
        noteFastest()
        for assignment in assignments { giveBack(assignment) }
        noteHelp()
        // Whose workers have all gone computes by itself at once.
        if members.isEmpty { aloneSince = now - configuration.fallbackAfter }
    }
}
