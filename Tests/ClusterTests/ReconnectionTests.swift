import Cluster
import Coordination
import Foundation
import Messaging
import Synchronization
import TensorCore
import TestSupport
import Testing
import Training

@Suite(.timeLimit(.minutes(5)))
struct `A worker whose connection brings nothing` {
    @Test func `makes another under another name, and says hello there`() throws {
        let coordinator = try Socket(.router, in: sharedContext.get(), options: .data())
        let end = try Started.worker(of: coordinator, reconnectsAfter: .milliseconds(300), makeModel: { _ in nil }).end
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
        while end.sentence == nil {
            guard case .message(let message)? = try coordinator.receive(within: .milliseconds(50)),
                let sender = message.sender
            else { continue }
            _ = try coordinator.send([.bytes(header + payload)], to: sender)
        }
        #expect(end.sentence == "stopped by the coordinator: enough")
        try coordinator.close(linger: .zero)
    }

    @Test func `says nothing of waiting while a coordinator that has no room answers it`() throws {
        let coordinator = try Socket(.router, in: sharedContext.get(), options: .data())
        let started = try Started.worker(of: coordinator, makeModel: { _ in nil })
        let begun = ContinuousClock.now
        while ContinuousClock.now - begun < .seconds(4) {
            guard case .message(let message)? = try coordinator.receive(within: .milliseconds(50)),
                let sender = message.sender
            else { continue }
            let (header, payload) = Coordination.Message(
                .refused(Refusal(.full, "there are 64 workers")), run: .none, incarnation: 0
            ).encoded()
            _ = try coordinator.send([.bytes(header + payload)], to: sender)
        }
        #expect(started.notes.isEmpty, "\(started.notes)")
        let (header, payload) = Coordination.Message(.stop(reason: "enough"), run: .none, incarnation: 0).encoded()
        while started.end.sentence == nil {
            guard case .message(let message)? = try coordinator.receive(within: .milliseconds(50)),
                let sender = message.sender
            else { continue }
            _ = try coordinator.send([.bytes(header + payload)], to: sender)
        }
        try coordinator.close(linger: .zero)
    }

    @Test(arguments: [false, true])
    func `waits for a coordinator that has welcomed it once, whoever answers in its place meanwhile`(isRefusal: Bool)
        throws
    {
        let coordinator = try Socket(.router, in: sharedContext.get(), options: .data())
        let started = try Started.worker(
            of: coordinator, reconnectsAfter: .milliseconds(300), makeModel: { _ in Idle() })
        var isWelcome = false
        while !isWelcome {
            guard case .message(let message)? = try coordinator.receive(within: .seconds(10)),
                let worker = message.sender
            else { return #expect(started.end.sentence == "it says hello, and takes work") }
            isWelcome = try Self.kind(of: message) == .pull
            if !isWelcome { try Self.welcome(worker, from: coordinator, controlEndpoint: "") }
        }
        try coordinator.close(linger: .seconds(1))
        guard case .tcp(_, let port?) = started.endpoint.transport else { throw SocketFailure() }
        // With keys, which this worker has none of.
        let stranger = try Self.listener(at: port) { connection in
            if isRefusal {
                connection.write(ZMTP.greeting + [4, 10, 5] + Array("ERROR".utf8) + [3] + Array("400".utf8))
            } else {
                connection.write(
                    Array(ZMTP.greeting.prefix(12)) + Array("CURVE".utf8) + [UInt8](repeating: 0, count: 47))
            }
            while !connection.read(atMost: 64).isEmpty {}
        }
        while stranger.connections < 3, started.end.sentence == nil { usleep(5_000) }
        #expect(started.end.sentence == nil, "\(started.end.sentence ?? "")")
        stranger.end()
        let again = try Socket(.router, in: sharedContext.get(), options: .data())
        _ = try again.bind(started.endpoint)
        guard case .message(let message)? = try again.receive(within: .seconds(20)), let sender = message.sender else {
            throw SocketFailure()
        }
        #expect(try Self.kind(of: message) == .hello)
        let (header, payload) = Coordination.Message(.stop(reason: "enough"), run: Self.run, incarnation: 1).encoded()
        while started.end.sentence == nil {
            _ = try again.send([.bytes(header + payload)], to: sender)
            usleep(50_000)
        }
        #expect(started.end.sentence == "stopped by the coordinator: enough")
        try again.close(linger: .zero)
    }

    @Test(arguments: ["tcp://192.0.2.2:7999", "inproc://elsewhere", "nowhere"])
    func `is sent nowhere else by a welcome that names another place`(place: String) throws {
        let coordinator = try Socket(.router, in: sharedContext.get(), options: .data())
        let end = try Started.worker(of: coordinator, makeModel: { _ in Idle() }).end
        while end.sentence == nil {
            guard case .message(let message)? = try coordinator.receive(within: .milliseconds(50)),
                let sender = message.sender, try Self.kind(of: message) == .hello
            else { continue }
            try Self.welcome(sender, from: coordinator, controlEndpoint: place)
        }
        let sentence = try #require(end.sentence)
        #expect(sentence.contains("a place for pings that is none") && sentence.contains(place), "\(sentence)")
        try coordinator.close(linger: .zero)
    }

    /// Listens there as soon as libzmq has closed the socket before.
    private static func listener(
        at port: UInt16, _ take: @escaping @Sendable (RawConnection) -> Void
    ) throws -> RawListener {
        for _ in 0..<500 {
            if let listener = try? RawListener(port: port, take) { return listener }
            usleep(10_000)
        }
        return try RawListener(port: port, take)
    }

    private static let run = RunID(low: 1, high: 2)

    private static func welcome(
        _ worker: PeerIdentity, from coordinator: borrowing Socket, controlEndpoint: String
    ) throws {
        let welcome = Welcome(
            session: 1, shards: 1, parameterBytes: 4, answerLimit: 64, assignmentLimit: 64,
            controlEndpoint: controlEndpoint, model: [])
        let (header, payload) = Coordination.Message(.welcome(welcome), run: run, incarnation: 1).encoded()
        _ = try coordinator.send([.bytes(header + payload)], to: worker)
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
        let endpoint: Endpoint
        let end = End()
        private let said: Said
        var notes: [String] { said.lines.withLock { $0 } }

        private final class Said: Sendable { let lines = Mutex<[String]>([]) }

        private init(_ loop: WorkerLoop, _ endpoint: Endpoint, _ context: Context, _ said: Said) {
            (self.loop, self.endpoint, self.context, self.said) = (loop, endpoint, context, said)
        }

        /// Binds a coordinator's socket and starts a worker of it.
        static func worker(
            of coordinator: borrowing Socket, reconnectsAfter: Duration = .seconds(10),
            makeModel: @escaping WorkerModelMaker
        ) throws -> Started {
            let endpoint = try coordinator.bind(Endpoint("tcp://127.0.0.1:*"))
            let said = Said()
            let loop = WorkerLoop(
                connectingTo: endpoint, identity: WorkerLoop.freshName(), keys: nil, parent: nil,
                reconnectsAfter: reconnectsAfter, makeModel: makeModel,
                note: { line in said.lines.withLock { $0.append(line) } })
            let worker = Started(loop, endpoint, try sharedContext.get(), said)
            Thread.detachNewThread { worker.run() }
            return worker
        }

        private func run() {
            do { end.sentence = try loop.run(in: context).sentence } catch { end.sentence = "\(error)" }
        }
    }

    /// What a worker has said at its end; nil before.
    private final class End: Sendable {
        private let value = Mutex<String?>(nil)

        var sentence: String? {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }
}
