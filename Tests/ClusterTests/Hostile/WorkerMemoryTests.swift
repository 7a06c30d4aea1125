import Coordination
import Foundation
import Messaging
import Synchronization
import Testing
import TestSupport

/// What whoever answers in a coordinator's place can make a worker hold.
@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A worker's memory` {
    /// A message of frames of so many bytes that says again and again that more follow, or of messages that are none.
    private static func content(frameBytes: Int) -> [UInt8] {
        guard frameBytes < 256 else {
            return [3] + (0..<8).map { UInt8(truncatingIfNeeded: frameBytes >> (8 * (7 - $0))) }
                + [UInt8](repeating: 0, count: frameBytes)
        }
        let frame = [1, UInt8(frameBytes)] + [UInt8](repeating: 0, count: frameBytes)
        return [[UInt8]](repeating: frame, count: 20_000).flatMap(\.self)
    }

    @Test(arguments: [(1, 48 << 20), (1 << 20, 512 << 20)])
    func `is bounded while it is sent a message that never ends`(frameBytes: Int, most: Int) throws {
        let place = try Workplace()
        let sent = Mutex<[Int]>([])
        let listener = try RawListener { connection in
            guard (try? connection.greet()) != nil else { return }
            let content = Self.content(frameBytes: frameBytes)
            var count = 0
            while count < most, connection.write(content) { count += content.count }
            sent.withLock { $0.append(count) }
        }
        let worker = try place.start(["worker", "--connect", "tcp://127.0.0.1:\(listener.port)"])
        #expect(worker.wait { sent.withLock { !$0.isEmpty } && worker.errors.contains("was cut") }, "\(worker.errors)")
        #expect(sent.withLock { $0[0] } < most)
        // A frame takes 64 bytes in libzmq at least.
        let peak = ProcessTable.peakMemory(of: worker.identifier)
        #expect(peak < 256 << 20, "\(peak >> 20) MiB")
        worker.signal(SIGKILL)
        _ = worker.wait()
        listener.end()
    }

    @Test func `grows with the pieces of assignments that arrive, not with what they announce`() throws {
        let place = try Workplace()
        let coordinator = try Socket(.router, in: sharedContext.get(), options: .data())
        let endpoint = try coordinator.bind(Endpoint("tcp://127.0.0.1:*"))
        let worker = try place.start(["worker", "--connect", "\(endpoint)"])
        let live = try LiveCoordinator()
        let member = try HostilePeer(live.endpoint)
        try member.join()
        // A model that this program makes, with assignments as long as may be.
        var welcome = try #require(member.welcome)
        live.process.signal(SIGKILL)
        _ = live.process.wait()
        let each = 512 << 20
        (welcome.assignmentLimit, welcome.controlEndpoint) = (UInt64(each), "")
        let run = RunID(low: 1, high: 2)
        func next(_ kind: MessageKind) throws -> (PeerIdentity, Coordination.Message) {
            while case .message(let message)? = try coordinator.receive(within: .seconds(10)) {
                let bytes = message.frames[0].bytes
                let (header, payload) = (
                    Array(bytes.prefix(Header.byteCount)), Array(bytes.dropFirst(Header.byteCount))
                )
                let said = try unsafe Coordination.Message(
                    header: header.span.bytes, payload: payload.span.bytes, receiver: .coordinator)
                if said.header.kind == kind, let sender = message.sender { return (sender, said) }
            }
            throw SocketFailure()
        }
        let (name, hello) = try next(.hello)
        guard case .hello(let greeting) = hello.body else { throw SocketFailure() }
        welcome.session = greeting.session
        func say(_ bytes: [UInt8]) throws { _ = try coordinator.send([.bytes(bytes)], to: name) }
        let (header, payload) = Message(.welcome(welcome), run: run, incarnation: 1).encoded()
        try say(header + payload)
        _ = try next(.pull)
        let piece = [UInt8](repeating: 0, count: frameBytes)
        for shard in 0..<2 {
            let frames = StreamFrames(
                .assignment, run: run, incarnation: 1, step: 0, shards: ShardRange(shard..<shard + 1), total: each)
            // The first and the last of 512.
            for index in [0, frames.count - 1] { try say(unsafe frames[index].encoded(with: piece.span.bytes) + piece) }
        }
        // It has taken all of that when it answers the next.
        let (register, nothing) = Message(.register, run: run, incarnation: 1).encoded()
        try say(register + nothing)
        _ = try next(.hello)
        #expect(worker.isRunning, "\(worker.errors)")
        let peak = ProcessTable.peakMemory(of: worker.identifier)
        #expect(peak < 256 << 20, "\(peak >> 20) MiB")
        worker.signal(SIGKILL)
        _ = worker.wait()
        try coordinator.close(linger: .zero)
    }
}
