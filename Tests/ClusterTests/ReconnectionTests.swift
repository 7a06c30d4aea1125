import Cluster
import Coordination
import Foundation
import Messaging
import Synchronization
import TensorCore
import Testing
import Training

@Suite(.timeLimit(.minutes(5)))
struct `A worker whose connection brings nothing` {
    @Test func `makes another under another name, and says hello there`() throws {
        let context = try sharedContext.get()
        let coordinator = try Socket(.router, in: context, options: .data())
        let endpoint = try coordinator.bind(Endpoint("tcp://127.0.0.1:*"))
        let end = Mutex<String?>(nil)
        let worker = Started(
            WorkerLoop(
                connectingTo: endpoint, identity: WorkerLoop.freshName(), keys: nil, parent: nil,
                reconnectsAfter: .milliseconds(300), makeModel: { _ in nil }, note: { _ in }), context)
        Thread.detachNewThread {
            let sentence = worker.run()
            end.withLock { $0 = sentence }
        }
        var names: [PeerIdentity] = []
        while names.count < 3 {
            guard case .message(let message)? = try coordinator.receive(within: .seconds(10)),
                let sender = message.sender
            else { break }
            #expect(try Self.kind(of: message) == .hello)
            if !names.contains(sender) { names.append(sender) }
        }
        #expect(names.count == 3)
        // Whoever asks now is answered, and the answer counts.
        let (header, payload) = Coordination.Message(.stop(reason: "enough"), run: .none, incarnation: 0).encoded()
        while end.withLock({ $0 == nil }) {
            guard case .message(let message)? = try coordinator.receive(within: .milliseconds(50)),
                let sender = message.sender
            else { continue }
            _ = try coordinator.send([.bytes(header + payload)], to: sender)
        }
        #expect(end.withLock { $0 } == "stopped by the coordinator: enough")
        try coordinator.close(linger: .zero)
    }

    @Test(arguments: ["tcp://192.0.2.2:7999", "inproc://elsewhere", "nowhere"])
    func `is sent nowhere else by a welcome that names another place`(place: String) throws {
        let context = try sharedContext.get()
        let coordinator = try Socket(.router, in: context, options: .data())
        let endpoint = try coordinator.bind(Endpoint("tcp://127.0.0.1:*"))
        let end = Mutex<String?>(nil)
        let worker = Started(
            WorkerLoop(
                connectingTo: endpoint, identity: WorkerLoop.freshName(), keys: nil, parent: nil,
                makeModel: { _ in Idle() }, note: { _ in }), context)
        Thread.detachNewThread {
            let sentence = worker.run()
            end.withLock { $0 = sentence }
        }
        while end.withLock({ $0 == nil }) {
            guard case .message(let message)? = try coordinator.receive(within: .milliseconds(50)),
                let sender = message.sender, try Self.kind(of: message) == .hello
            else { continue }
            let welcome = Welcome(
                session: 1, shards: 1, parameterBytes: 4, answerLimit: 64, assignmentLimit: 64, controlEndpoint: place,
                model: [])
            let run = RunID(low: 1, high: 2)
            let (header, payload) = Coordination.Message(.welcome(welcome), run: run, incarnation: 1).encoded()
            _ = try coordinator.send([.bytes(header + payload)], to: sender)
        }
        let sentence = try #require(end.withLock { $0 })
        #expect(sentence.contains("a place for pings that is none") && sentence.contains(place), "\(sentence)")
        try coordinator.close(linger: .zero)
    }

    /// A model that is never asked for anything.
    private final class Idle: WorkerModel {
        let parameterCount = 1
        let packedCount = 0
        func importParameters(_ block: Storage, packed: Storage?) {}
        func answers(to assignment: [UInt8], step: UInt64, shards: ShardRange, in place: AnswerPlace?)
            -> [SubtreeAnswer]
        { [] }
    }

    private static func kind(of message: Messaging.Message) throws -> MessageKind {
        let bytes = message.frames[0].bytes
        let (header, payload) = (Array(bytes.prefix(Header.byteCount)), Array(bytes.dropFirst(Header.byteCount)))
        return try unsafe Coordination.Message(
            header: header.span.bytes, payload: payload.span.bytes, receiver: .coordinator
        ).header.kind
    }

    /// Handed to one thread, and touched by no other.
    private final class Started: @unchecked Sendable {
        private let loop: WorkerLoop
        private let context: Context

        init(_ loop: WorkerLoop, _ context: Context) { (self.loop, self.context) = (loop, context) }

        func run() -> String {
            do { return try loop.run(in: context).sentence } catch { return "\(error)" }
        }
    }
}
