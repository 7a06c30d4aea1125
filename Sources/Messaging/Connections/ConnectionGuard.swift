internal import CZeroMQ
internal import Foundation
internal import Synchronization

/// Bounds what the peers of sockets can make this process hold, and ends the connections that go beyond.
///
/// libzmq 4.3.4 bounds the length of a frame and how many whole messages wait from one peer. It bounds neither how many frames a message
/// that has not ended consists of, all of which it keeps, nor how many connections there are, each of which may hold a frame before its
/// handshake has even failed. So a thread of its own is woken when something comes, and compares for that connection what the system says has
/// arrived with what the program has taken: the difference is what libzmq holds.
///
/// TCP on Linux only: on local sockets the system does not count, and nobody else gets that far.
package final class ConnectionGuard: Sendable {
    private struct Connection {
        let peer: Peer
        let begun: ContinuousClock.Instant
        /// Counts connections up, as they come.
        let number: Int
        /// Everything that had come over it when it was last looked at.
        var arrived = 0
        var recognised: ContinuousClock.Instant?
        /// Who takes part over it, or did.
        var owner: PeerIdentity?
        /// When it is to be cut.
        var endsAt: ContinuousClock.Instant?
        var isCut = false
        /// What it held when it was last looked at.
        var held = 0
    }

    /// What the owner of the sockets has said of a connection before its beginning was read: it may be faster than this thread.
    private struct Early {
        /// What tells the connection from the one that has its descriptor later.
        let peer: Peer
        var owner: PeerIdentity?
        var recognised: ContinuousClock.Instant?
        var endsAt: ContinuousClock.Instant?
    }

    private struct State {
        var connections: [ConnectionID: Connection] = [:]
        var early: [ConnectionID: Early] = [:]
        var accepted = 0
        var cuts: [ConnectionCut] = []
        var cutCounts: [ConnectionCut.Kind: Int] = [:]
        var handshakesFailed = 0
        var failure: MessagingError?
        /// What has happened to the sockets whose owners want to know.
        var events: [MonitorEvent.Kind] = []
        /// Connections over which something has come since they were last looked at, or may go on coming without a word.
        var stirring: Set<ConnectionID> = []
    }

    private struct Gate: Sendable {
        let events: String
        let intake: Intake
        let tells: Bool
    }

    private let limits: ConnectionLimits
    private let gates = Mutex<[Gate]>([])
    private let state = Mutex(State())
    /// Cuts that are told one by one; of the rest there is the count.
    private static let longestNews = 256
    /// Events that are kept for who does not ask.
    private static let mostEvents = 1024

    package init(_ limits: ConnectionLimits) { self.limits = limits }

    /// Adds a socket, before it binds or connects and on its thread.
    ///
    /// - Parameter tells: whether `takeEvents()` says what happens to it: a socket has one monitor.
    package func watch(_ socket: borrowing Socket, isEncrypted: Bool, tells: Bool = false) throws(MessagingError) {
        let events = try SocketMonitor.begin(socket)
        let intake = gates.withLock { gates in
            let intake = Intake(gate: gates.count, isEncrypted: isEncrypted)
            gates.append(Gate(events: events, intake: intake, tells: tells))
            return intake
        }
        socket.handle.intake = intake
    }

    /// Begins, and returns when every connection will be seen. It ends when the sockets have, or with the context.
    package func start(in context: Context) throws(MessagingError) {
        let gates = gates.withLock { $0 }
        let ready = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            var isReady = false
            do throws(MessagingError) {
                var readers: [Reader] = []
                for gate in gates { readers.append(Reader(try SocketMonitor(readingFrom: gate.events, in: context))) }
                isReady = true
                ready.signal()
                try stand(at: gates, with: readers)
            } catch {
                // Whoever owns the sockets is told when it next asks; the end of the context is none of its errors.
                if !isReady || !error.isTermination { state.withLock { $0.failure = error } }
                if !isReady { ready.signal() }
            }
        }
        ready.wait()
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Says that the owner of a connection is somebody who takes part.
    package func recognise(_ connection: ConnectionID, as owner: PeerIdentity) {
        let now = ContinuousClock.now
        state.withLock { state in
            guard let known = state.connections[connection] else {
                return Self.note(early: connection, &state) { ($0.owner, $0.recognised) = (owner, now) }
            }
            // Nobody takes another name: another connection has the descriptor now.
            if let before = known.owner, before != owner { state.connections[connection]?.endsAt = nil }
            state.connections[connection]?.recognised = now
            state.connections[connection]?.owner = owner
        }
    }

    /// Has a connection cut that is of no more use, soon: what was sent last still gets through.
    package func dismiss(_ connection: ConnectionID) {
        state.withLock { dismiss(connection, &$0) }
    }

    /// The same for every connection over which somebody took part, under this name.
    package func dismiss(_ owner: PeerIdentity) {
        state.withLock { state in
            for connection in state.connections.filter({ $0.value.owner == owner }).keys { dismiss(connection, &state) }
            for connection in state.early.filter({ $0.value.owner == owner }).keys { dismiss(connection, &state) }
        }
    }

    private func dismiss(_ connection: ConnectionID, _ state: inout State) {
        let end = ContinuousClock.now + limits.farewell
        guard let known = state.connections[connection] else {
            return Self.note(early: connection, &state) { $0.endsAt = end }
        }
        state.connections[connection]?.endsAt = known.endsAt ?? end
    }

    /// Keeps what is said of a connection that is not known yet; of one that is over nothing is kept.
    private static func note(early connection: ConnectionID, _ state: inout State, _ change: (inout Early) -> Void) {
        guard let peer = Peer(of: connection.descriptor) else { return }
        var early = state.early[connection].flatMap { $0.peer == peer ? $0 : nil } ?? Early(peer: peer)
        change(&early)
        state.early[connection] = early
    }

    /// What has happened since it was last asked: the connections that were cut, of very many the first; how many were, by kind; and
    /// handshakes that ended before the two knew each other, but for those that the `AdmissionDesk` refused.
    ///
    /// - Throws: what ended the guard.
    package func takeNews() throws(MessagingError) -> (
        cuts: [ConnectionCut], counts: [ConnectionCut.Kind: Int], handshakesFailed: Int
    ) {
        let (failure, news) = state.withLock { state in
            defer { (state.cuts, state.cutCounts, state.handshakesFailed) = ([], [:], 0) }
            return (state.failure, (state.cuts, state.cutCounts, state.handshakesFailed))
        }
        if let failure { throw failure }
        return news
    }

    /// What has happened since it was last asked to sockets that were added for this, in order; of very much, what came last.
    package func takeEvents() -> [MonitorEvent.Kind] {
        state.withLock { state in
            defer { state.events = [] }
            return state.events
        }
    }

    /// Bytes that wait here from each connection now.
    package func waiting() -> [ConnectionID: Int] {
        let gates = gates.withLock { $0 }
        return state.withLock { state in
            state.connections.keys.reduce(into: [:]) { waiting, connection in
                waiting[connection] = gates[connection.gate].intake.waiting(over: connection.descriptor).held
            }
        }
    }
}

// The guard's own thread.
extension ConnectionGuard {
    private final class Reader {
        let monitor: SocketMonitor
        var hasStopped = false
        init(_ monitor: consuming SocketMonitor) { self.monitor = monitor }
    }

    private func stand(at gates: [Gate], with readers: [Reader]) throws(MessagingError) {
        let arrivals = Arrivals()
        var poller = Poller()
        poller.descriptor = arrivals.descriptor
        for reader in readers { _ = poller.add(reader.monitor) }
        var (lastLook, lastSweep) = (ContinuousClock.now, ContinuousClock.now)
        var pause = limits.interval
        while !readers.allSatisfy(\.hasStopped) {
            let (isEmpty, isStirring) = state.withLock { ($0.connections.isEmpty, !$0.stirring.isEmpty) }
            _ = try poller.wait(within: isEmpty ? .seconds(1) : isStirring ? limits.interval : limits.sweep)
            // However much comes, looking at it takes a twentieth of a core: of this thread's own time, since others may have had the
            // core meanwhile.
            let rest = pause - (.now - lastLook)
            if rest > .zero { Thread.sleep(forTimeInterval: rest / .seconds(1)) }
            let begin = zmqshim_thread_nanoseconds()
            for (gate, reader) in readers.enumerated() {
                // So many that the connections are looked at in between, however fast new ones come.
                for _ in 0..<256 {
                    guard let event = try reader.monitor.next() else { break }
                    if event.kind == .stopped { reader.hasStopped = true }
                    note(event, gate, gates, arrivals)
                }
            }
            lastLook = .now
            let isSweep = lastLook - lastSweep >= limits.sweep
            if isSweep { lastSweep = lastLook }
            let isCrowded = look(at: gates, stirred: arrivals.take(), all: isSweep)
            let cost = Duration.nanoseconds(zmqshim_thread_nanoseconds() - begin)
            // A hundredth where there are too many: each look ends all that are too many by then, and more come all the time.
            pause = min(max(limits.interval, cost * (isCrowded ? 100 : 20)), limits.longestInterval)
        }
    }

    private func note(_ event: MonitorEvent, _ gate: Int, _ gates: [Gate], _ arrivals: Arrivals) {
        switch event.kind {
        case .handshakeFailed(.violation), .handshakeFailed(.system): state.withLock { $0.handshakesFailed += 1 }
        default: break
        }
        if gates[gate].tells {
            state.withLock { state in
                if state.events.count == Self.mostEvents { state.events.removeFirst() }
                state.events.append(event.kind)
            }
        }
        guard let descriptor = event.descriptor else { return }
        let connection = ConnectionID(gate: gate, descriptor: descriptor)
        if event.kind == .disconnected {
            state.withLock { state in
                (state.connections[connection], state.early[connection]) = (nil, nil)
                state.stirring.remove(connection)
            }
            gates[gate].intake.forget(descriptor)
        } else if let peer = Peer(of: descriptor) {
            state.withLock { state in
                state.accepted += 1
                let early = state.early.removeValue(forKey: connection).flatMap { $0.peer == peer ? $0 : nil }
                state.connections[connection] = Connection(
                    peer: peer, begun: .now, number: state.accepted, recognised: early?.recognised,
                    owner: early?.owner, endsAt: early?.endsAt)
                // Of something that came before it was noted nobody may say a word.
                state.stirring.insert(connection)
            }
            arrivals.add(descriptor)
        }
    }

    /// - Parameters:
    ///   - stirred: connections over which something has come.
    ///   - all: looks at every connection, not only at those.
    /// - Returns: whether there were too many.
    private func look(at gates: [Gate], stirred: [Int32], all: Bool) -> Bool {
        let now = ContinuousClock.now
        return state.withLock { state in
            for gate in gates.indices {
                for descriptor in stirred { state.stirring.insert(ConnectionID(gate: gate, descriptor: descriptor)) }
            }
            if all {
                for (connection, known) in state.connections where !known.isCut {
                    if let endsAt = known.endsAt, endsAt <= now { cut(connection, .dismissed, &state) }
                }
            }
            // Of what libzmq has read by the time it is asked, the system says nothing.
            var isLookedAt = all ? Set(state.connections.keys) : state.stirring
            for connection in isLookedAt { measure(connection, gates, &state) }
            var strangers = strangers(at: now, in: state)
            if strangers.reduce(0, { $0 + $1.held }) > limits.strangersBytes {
                // Of those that were not looked at something may have been taken meanwhile.
                for stranger in strangers where stranger.held > 0 && isLookedAt.insert(stranger.connection).inserted {
                    measure(stranger.connection, gates, &state)
                }
                strangers = self.strangers(at: now, in: state).sorted { $0.held < $1.held }
                var together = strangers.reduce(0) { $0 + $1.held }
                while together > limits.strangersBytes, let most = strangers.popLast() {
                    together -= most.held
                    cut(most.connection, .waitingBytes(most.held), &state)
                }
            }
            guard state.connections.count > limits.connections else { return false }
            let standing = state.connections.count { !$0.value.isCut }
            guard standing > limits.connections else { return false }
            for stranger in dispensable(strangers, gates, at: now).prefix(standing - limits.connections) {
                cut(stranger, .connections(standing), &state)
            }
            return true
        }
    }

    /// Looks at what a connection holds, and cuts it where that is too much.
    private func measure(_ connection: ConnectionID, _ gates: [Gate], _ state: inout State) {
        guard var known = state.connections[connection], !known.isCut else {
            state.stirring.remove(connection)
            return
        }
        let waiting = gates[connection.gate].intake.waiting(over: connection.descriptor)
        (known.held, known.arrived) = (waiting.held, waiting.arrived)
        state.connections[connection] = known
        if waiting.isUnread { state.stirring.insert(connection) } else { state.stirring.remove(connection) }
        if waiting.held > limits.waitingBytes { cut(connection, .waitingBytes(waiting.held), &state) }
    }

    /// What decides who of those makes room whose owners are not recognised.
    private struct Stranger {
        let connection: ConnectionID
        let host: Peer.Host
        let begun: ContinuousClock.Instant
        let number: Int
        let arrived: Int
        let held: Int
    }

    private func strangers(at now: ContinuousClock.Instant, in state: State) -> [Stranger] {
        var strangers: [Stranger] = []
        strangers.reserveCapacity(state.connections.count)
        for (connection, known) in state.connections {
            guard !known.isCut, known.recognised.map({ now - $0 > limits.memory }) ?? true else { continue }
            strangers.append(
                Stranger(
                    connection: connection, host: known.peer.host, begun: known.begun, number: known.number,
                    arrived: known.arrived, held: known.held))
        }
        return strangers
    }

    /// Strangers in the order in which they have to make room.
    ///
    /// First those that say nothing, last those that have said what only somebody with the server's key can say; of both, and of those in
    /// between, first whoever has more connections from one address than all workers could need, then the oldest.
    private func dispensable(
        _ strangers: [Stranger], _ gates: [Gate], at now: ContinuousClock.Instant
    ) -> [ConnectionID] {
        var crowds = [Peer.Host: Int](minimumCapacity: strangers.count)
        for stranger in strangers { crowds[stranger.host, default: 0] += 1 }
        let introductions = gates.map(\.intake.introduction)
        let ranked = strangers.map { stranger in
            // A word may be on its way still.
            let isSilent = stranger.arrived == 0 && now - stranger.begun > limits.silence
            let stage = isSilent ? 0 : stranger.arrived < introductions[stranger.connection.gate] ? 1 : 2
            let excess = max(0, crowds[stranger.host, default: 0] - limits.ofOneAddress)
            return (id: stranger.connection, rank: (stage, -excess, stranger.number))
        }
        return ranked.sorted { $0.rank < $1.rank }.map(\.id)
    }

    private func cut(_ connection: ConnectionID, _ reason: ConnectionCut.Reason, _ state: inout State) {
        guard let known = state.connections[connection] else { return }
        state.connections[connection]?.isCut = true
        // The number may be another connection's by now, whose beginning is still to be read.
        guard Peer(of: connection.descriptor) == known.peer else { return }
        // Whoever only had to make room tries again, and may take an orderly end within a handshake for a word about its keys.
        if case .connections = reason {
            zmqshim_break(connection.descriptor)
        } else {
            zmqshim_cut(connection.descriptor)
        }
        state.cutCounts[reason.kind, default: 0] += 1
        if state.cuts.count < Self.longestNews {
            state.cuts.append(ConnectionCut(reason: reason, peer: known.peer.description))
        }
    }
}
