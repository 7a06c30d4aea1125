internal import Coordination
internal import Messaging
internal import Synchronization
internal import TensorCore

/// A message that a coordinator has taken off a socket and verified.
enum Arrival: Sendable {
    ///
    /// `isFinite` is false when a number in the piece of an answer may be none: read while the piece is in the cache anyway.
    case message(
        Coordination.Message, ArrivedPayload, isFinite: Bool, from: WorkerID, key: PeerKey?,
        over: ConnectionID?)
    case undecodable(DecodeError, from: WorkerID, key: PeerKey?, over: ConnectionID?)

    /// So many that everything else gets its turn.
    private static let limit = 64
    /// Payloads within messages that are held at a time.
    private static let heldBytes = 8 * frameBytes

    /// Takes what is there, in the order in which it came; payloads are verified on the threads of a team.
    static func next(from socket: borrowing Socket, memory: SharedMemory?, team: ThreadTeam) throws -> [Arrival] {
        var arrivals: [Arrival?] = []
        var undecoded: [(place: Int, sender: WorkerID, message: Messaging.Message, memory: SharedMapping?)] = []
        var held = 0
        while arrivals.count < limit, held < heldBytes, let received = try socket.receive(maximumFrames: 4) {
            switch received {
            case .overlong(let sender, let user, let connection, let frameCount):
                guard let sender else { continue }
                let error = DecodeError(.frames, wanted: 1, got: UInt64(frameCount))
                arrivals.append(
                    .undecodable(
                        error, from: WorkerID(sender.bytes), key: user.map { PeerKey($0) }, over: connection))
            case .message(let message):
                guard let sender = message.sender.map({ WorkerID($0.bytes) }) else { continue }
                undecoded.append((arrivals.count, sender, message, memory?.answers(of: sender)))
                arrivals.append(nil)
                held += message.frames.reduce(0) { $0 + $1.byteCount }
            }
        }
        let pending = undecoded
        let all = Mutex(arrivals)
        team.run(pending.map { Coordination.Message.payloadBytes($0.message) / 4 }) { index in
            let (place, sender, message, memory) = pending[index]
            let key = message.user.map { PeerKey($0) }
            let arrival: Arrival =
                switch Coordination.Message.decode(message, receiver: .coordinator, memory: memory) {
                case .success(let (decoded, payload)):
                    .message(
                        decoded, payload,
                        isFinite: decoded.header.kind != .answer || payload.withBytes { $0.areFiniteFloats },
                        from: sender, key: key, over: message.connection)
                case .failure(let error): .undecodable(error, from: sender, key: key, over: message.connection)
                }
            all.withLock { $0[place] = arrival }
        }
        return all.withLock { $0 }.compactMap(\.self)
    }
}
