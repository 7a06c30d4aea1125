internal import Coordination
internal import Messaging

/// What waits to be sent to each worker, in order; frames go out as the sockets have room for them.
struct Outbox {
    private enum Item {
        case message(Payload)
        case stream(OutgoingStream)
    }

    private var queues: [WorkerID: [Item]] = [:]
    private let loss: MessageLoss?

    /// - Parameter loss: what throws messages away instead of sending them, where somebody asked for it.
    init(loss: MessageLoss? = nil) { self.loss = loss }

    var isEmpty: Bool { queues.isEmpty }

    mutating func append(_ message: Coordination.Message, to worker: WorkerID) {
        queues[worker, default: []].append(.message(message.frame))
    }

    mutating func append(_ stream: OutgoingStream, to worker: WorkerID) {
        queues[worker, default: []].append(.stream(stream))
    }

    mutating func discard(_ worker: WorkerID) { queues[worker] = nil }

    mutating func discardAll() { queues = [:] }

    /// Sends as much as there is room for.
    ///
    /// - Returns: workers that cannot be reached; what waited for them is gone.
    mutating func flush(_ socket: borrowing Socket) throws(MessagingError) -> [WorkerID] {
        var unreachable: [WorkerID] = []
        for worker in Array(queues.keys) {
            let peer = PeerIdentity(worker.bytes)
            sending: while let item = queues[worker]?.first {
                switch item {
                case .message(let frame):
                    switch try send(frame, to: peer, through: socket) {
                    case .sent: removeFirst(worker)
                    case .wouldBlock: break sending
                    case .unroutable:
                        unreachable.append(worker)
                        queues[worker] = nil
                    }
                case .stream(var stream):
                    switch try send(stream.frame, to: peer, through: socket) {
                    case .sent:
                        stream.advance()
                        if stream.isDone { removeFirst(worker) } else { queues[worker]?[0] = .stream(stream) }
                    case .wouldBlock: break sending
                    case .unroutable:
                        unreachable.append(worker)
                        queues[worker] = nil
                    }
                }
            }
        }
        return unreachable
    }

    private func send(
        _ frame: Payload, to peer: PeerIdentity, through socket: borrowing Socket
    ) throws(MessagingError) -> SendResult {
        loss?.takesOne() == true ? .sent : try socket.send([frame], to: peer)
    }

    private mutating func removeFirst(_ worker: WorkerID) {
        queues[worker]?.removeFirst()
        if queues[worker]?.isEmpty == true { queues[worker] = nil }
    }
}
