import Coordination
import Foundation
import Messaging
import Testing

/// Attacks of those who may take part. Each ends with a good worker that does the whole run.
@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A worker that means harm` {
    @Test func `sends changed messages of every kind, each under a new name; all are counted`() throws {
        let live = try LiveCoordinator()
        let member = try HostilePeer(live.endpoint)
        try member.join()
        let assigned = try #require(try member.receive(.assignment))
        let shards = try #require(assigned.header.range)
        let subtree = shards.subtrees[0].range
        let good = member.answer(subtree, step: assigned.header.step, [UInt8](repeating: 0, count: 64))
        var pull = [UInt8](), ping = [UInt8](), goodbye = [UInt8](), hello = [UInt8]()
        func bytes(_ message: Coordination.Message) -> [UInt8] {
            let (header, payload) = message.encoded()
            return header + payload
        }
        pull = bytes(Message(.pull(HostilePeer.status), run: member.run, incarnation: member.incarnation))
        ping = bytes(Message(.ping(HostilePeer.status), run: member.run, incarnation: member.incarnation))
        goodbye = bytes(Message(.goodbye(reason: "x"), run: member.run, incarnation: member.incarnation))
        hello = bytes(HostilePeer.hello())
        // One byte of each field, the checksum as it was.
        let places = [0, 4, 6, 8, 16, 24, 32, 39, 40, 44, 48, 55, 56, 63, 64, 67, 68, 72, 79, 81]
        var sent = 0
        for message in [good, pull, ping, goodbye, hello] {
            for place in places where place < message.count {
                let peer = try HostilePeer(live.endpoint)
                try peer.join()
                var changed = message
                changed[place] ^= 1
                try peer.send([changed])
                let refusal = try #require(try peer.receive(.refused), "byte \(place)")
                guard case .refused(let reason) = refusal.body else { continue }
                #expect([.malformed, .version].contains(reason.code))
                sent += 1
            }
        }
        #expect(sent > 80)
        try live.finish(
            rejecting: ["magic", "version", "kind", "checksum", "length", "place", "not_zero", "frame_length"])
    }

    private typealias Attempt = (_ peer: HostilePeer, _ own: ShardRange, _ step: UInt64) -> [UInt8]

    @Test func `has no name of its own, and is told so`() throws {
        let live = try LiveCoordinator()
        let nameless = try HostilePeer(live.endpoint, identity: nil)
        try nameless.send(HostilePeer.hello())
        let refusal = try #require(try nameless.receive(.refused))
        guard case .refused(let reason) = refusal.body else { return }
        #expect(reason.code == .malformed && reason.sentence.contains("has no name"))
        try live.finish { try nameless.send(HostilePeer.hello(session: 2)) }
    }

    @Test func `changes what a message says and makes the checksum fit`() throws {
        let live = try LiveCoordinator()
        let attempts: [(name: String, make: Attempt)] = [
            ("step - 1", { peer, own, step in peer.answer(own, step: step &- 1, [0]) }),
            ("step + 1", { peer, own, step in peer.answer(own, step: step + 1, [0]) }),
            ("step 2^63", { peer, own, _ in peer.answer(own, step: 1 << 63, [0]) }),
            ("another run", { peer, own, step in peer.answer(own, step: step, [0], run: RunID(low: 1, high: 2)) }),
            ("an old incarnation", { peer, own, step in peer.answer(own, step: step, [0], incarnation: 0) }),
            ("a later incarnation", { peer, own, step in peer.answer(own, step: step, [0], incarnation: .max) }),
            ("shards past the last", { peer, _, step in peer.answer(ShardRange(8..<16), step: step, [0]) }),
            (
                "an unaligned range",
                { peer, _, step in peer.answer(ShardRange(0..<2), step: step, [0]) { $0.firstShard = 1 } }
            ),
            ("no shards", { peer, own, step in peer.answer(own, step: step, [0]) { $0.shardCount = 0 } }),
            ("a total of 2^63", { peer, own, step in peer.answer(own, step: step, [0]) { $0.total = 1 << 63 } }),
            ("an offset off the grid", { peer, own, step in peer.answer(own, step: step, [0]) { $0.offset = 1 } }),
            ("an answer of nothing", { peer, own, step in peer.answer(own, step: step, []) }),
            (
                "an answer of rubbish",
                { peer, own, step in peer.answer(own, step: step, [UInt8](repeating: 0xFF, count: 10_000)) }
            ),
        ]
        for (name, make) in attempts {
            let peer = try HostilePeer(live.endpoint)
            try peer.join()
            let assigned = try #require(try peer.receive(.assignment), "\(name)")
            let shards = try #require(assigned.header.range)
            try peer.send([make(peer, shards.subtrees[0].range, assigned.header.step)])
            // Makes room for the next one, whatever came of it.
            try peer.say(.goodbye(reason: "done"))
        }
        try live.finish(rejecting: ["shards", "total", "offset", "payload"])
    }

    @Test func `sends messages of no, three and ten thousand frames, and frames of every length about the header's`()
        throws
    {
        let live = try LiveCoordinator()
        let shapes: [[[UInt8]]] =
            [[[]], [[], [], []], [[UInt8]](repeating: [1], count: 10_000)]
            + [1, 79, 80, 81, 4096, 1 << 20].map { [[UInt8](repeating: 7, count: $0)] }
        for shape in shapes {
            let peer = try HostilePeer(live.endpoint)
            try peer.join()
            try peer.send(shape)
            #expect(try peer.receive(.refused) != nil, "\(shape.count) frames of \(shape[0].count) bytes")
        }
        // More than the longest frame, and the connection is cut.
        let peer = try HostilePeer(live.endpoint)
        try peer.join()
        try peer.send([[UInt8](repeating: 7, count: 2 << 20)])
        try live.finish(rejecting: ["frames", "header_length", "magic"])
    }

    @Test(arguments: [false, true])
    func `is cut off when its key is revoked or a message of it is malformed, and told before`(isRevoked: Bool) throws {
        let live = try LiveCoordinator(keys: true, ["--steps", "4000000"])
        try live.add("second")
        #expect(live.process.wait { live.process.errors.contains("worker second is admitted") })
        let peer = try HostilePeer(live.endpoint, keys: live.pair(of: "second"))
        try peer.join()
        if isRevoked { try live.revoke("second") } else { try peer.send([[UInt8](repeating: 7, count: 80)]) }
        #expect(try peer.receive(.refused) != nil)
        // It stays, and says nothing.
        #expect(try peer.isCut())
        let sentence = "was cut: it was a worker's that was dropped"
        #expect(live.process.wait { live.process.errors.contains(sentence) }, "\(live.process.errors)")
        live.process.signal(SIGTERM)
        let outcome = live.process.wait()
        let counted = outcome.errors.split(separator: "\n").last { $0.contains("rejected: ") }
        #expect(outcome.code == 143 && counted?.contains("dismissed 1") == true, "\(outcome.errors)")
    }

    @Test func `takes another's name and is not heard`() throws {
        let live = try LiveCoordinator(keys: true)
        try live.add("second")
        #expect(live.process.wait { live.process.errors.contains("worker second is admitted") })
        let victim = try HostilePeer(live.endpoint, keys: live.pair(of: "worker"))
        try victim.join()
        // The same name on the same socket is silent; on the other one it has another key than the name's.
        let thief = try HostilePeer(live.endpoint, identity: victim.identity, keys: live.pair(of: "second"))
        try thief.send(HostilePeer.hello(session: 9))
        #expect(try thief.receive(within: .milliseconds(200)) == nil)
        let control = try #require(victim.welcome?.controlEndpoint)
        let double = try HostilePeer(control, identity: victim.identity, keys: live.pair(of: "second"))
        #expect(try double.handshakeFailure() == nil)
        // Again and again, while the victim lives: what the two say comes over two sockets, in whatever order.
        for _ in 0..<20 {
            try double.send(HostilePeer.hello(session: 10))
            try double.send(Message(.goodbye(reason: "not me"), run: victim.run, incarnation: victim.incarnation))
            // The victim is still a worker.
            try victim.say(.ping(HostilePeer.status))
            #expect(try victim.receive(.pong) != nil)
        }
        try victim.say(.goodbye(reason: "done"))
        try live.finish(rejecting: ["other_key"])
    }

    @Test func `takes work and never answers, leaves, or reads a kilobyte a second, two dozen at once`() throws {
        let live = try LiveCoordinator()
        let relay = try Relay(to: live.port, bytesPerSecond: 1024)
        let silent = try HostilePeer(live.endpoint)
        try silent.join()
        let slow = try HostilePeer("tcp://127.0.0.1:\(relay.port)")
        try slow.join()
        let others = try (0..<20).map { _ in try HostilePeer(live.endpoint) }
        for other in others { try other.join() }
        let busy = try HostilePeer(live.endpoint)
        try busy.join()
        #expect(try silent.receive(.assignment) != nil)
        // Lives, computes and never comes to an end.
        let status = WorkerStatus(session: 1, wanted: 2, isComputing: true, progress: 0)
        try live.finish { try busy.say(.ping(status)) }
        // It was on its way to all of the parameters.
        #expect(relay.passed > 2048, "\(relay.passed) bytes")
        relay.end()
    }

    @Test func `says hello ten thousand times, reads nothing, and costs little memory`() throws {
        let live = try LiveCoordinator()
        let before = live.peakMemory
        for peer in try (0..<4).map({ _ in try HostilePeer(live.endpoint) }) {
            for session in 1...2500 { try peer.send(HostilePeer.hello(session: UInt64(session))) }
        }
        #expect(live.process.isRunning)
        let grown = live.peakMemory - before
        #expect(grown < 64 << 20, "\(grown >> 20) MiB")
        try live.finish()
    }
}
