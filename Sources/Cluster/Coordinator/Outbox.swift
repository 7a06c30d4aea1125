package import Coordination
package import Messaging

/// What waits to be sent to each worker, in order; frames go out as the sockets have room for them.
///
/// A worker that reads slowly, or not at all, keeps little here: a few messages, and streams of the last steps only.
package struct Outbox {
    private enum Item {
        case message(Payload)
        case stream(OutgoingStream, step: UInt64)
    }

    private struct Queue {
        var items: [Item] = []
        var messages = 0
        /// When something last went out, or the first item came.
        var lastMoved: Duration
    }

    private var queues: [WorkerID: Queue] = [:]
    private let loss: MessageLoss?
    private var now: Duration = .zero

    /// Messages that may wait for one worker; what there is no room for is said again when the worker asks again.
    private static let longestQueue = 64
    /// How long nothing may go out to a worker that something waits for: a frame of 1 MiB at 35 KiB/s.
    private static let patience: Duration = .seconds(30)
    /// A worker that is still being sent the parameters of so many steps before the step at hand is too slow to be of use, and each
    /// of those steps' parameters are kept for it.
    private static let stepsKept: UInt64 = 3

    /// - Parameter loss: what throws messages away instead of sending them, where somebody asked for it.
    package init(loss: MessageLoss? = nil) { self.loss = loss }

    package var isEmpty: Bool { queues.isEmpty }

    package mutating func append(_ message: Coordination.Message, to worker: WorkerID) {
        var queue = queues[worker] ?? Queue(lastMoved: now)
        guard queue.messages < Self.longestQueue else { return }
        queue.messages += 1
        queue.items.append(.message(message.frame))
        queues[worker] = queue
    }

    mutating func append(_ stream: OutgoingStream, of step: UInt64, to worker: WorkerID) {
        queues[worker, default: Queue(lastMoved: now)].items.append(.stream(stream, step: step))
    }

    mutating func discard(_ worker: WorkerID) { queues[worker] = nil }

    mutating func discardAll() { queues = [:] }

    /// Workers that streams of long ago still wait for; nothing waits for them any more.
    mutating func discardLaggards(at step: UInt64) -> [WorkerID] {
        let laggards = queues.filter { entry in
            entry.value.items.contains { item in
                if case .stream(_, let old) = item { old + Self.stepsKept <= step } else { false }
            }
        }
        for worker in laggards.keys { queues[worker] = nil }
        return Array(laggards.keys)
    }

    /// Sends as much as there is room for.
    ///
    /// - Returns: workers that cannot be reached, or have not read for too long; what waited for them is gone.
    package mutating func flush(_ socket: borrowing Socket, at instant: Duration) throws(MessagingError) -> [WorkerID] {
        // Time in which nobody tried to send is not the worker's.
        let absence = instant - now
        now = instant
        var unreachable: [WorkerID] = []
        for worker in Array(queues.keys) {
            guard var queue = queues.removeValue(forKey: worker) else { continue }
            if absence > .seconds(1) { queue.lastMoved = min(now, queue.lastMoved + absence) }
            if try send(&queue, to: PeerIdentity(received: worker.bytes), socket, at: now),
                now - queue.lastMoved < Self.patience
            {
                if !queue.items.isEmpty { queues[worker] = queue }
            } else {
                unreachable.append(worker)
            }
        }
        return unreachable
    }

    /// - Returns: false for a worker that cannot be reached.
    private func send(
        _ queue: inout Queue, to peer: PeerIdentity, _ socket: borrowing Socket, at now: Duration
    ) throws(MessagingError) -> Bool {
        while let item = queue.items.first {
            let frame =
                switch item {
                case .message(let frame): frame
                case .stream(let stream, _): stream.frame
                }
            switch loss?.takesOne() == true ? .sent : try socket.send([frame], to: peer) {
            case .unroutable: return false
            case .wouldBlock: return true
            case .sent: queue.lastMoved = now
            }
            switch item {
            case .message:
                queue.messages -= 1
                queue.items.removeFirst()
            case .stream(var stream, let step):
                stream.advance()
                if stream.isDone { queue.items.removeFirst() } else { queue.items[0] = .stream(stream, step: step) }
            }
        }
        return true
    }
}
