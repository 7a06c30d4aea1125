import Coordination
import Foundation
import Messaging
import Testing
import TestSupport

/// What peers can make a coordinator hold: parameters, what is computed with them, and a bounded rest.
@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A coordinator's memory` {
    /// The parameters of these runs have no weight; the rest is what peers bring about.
    private static let rest = 256 << 20

    private func expectBounded(_ live: LiveCoordinator, workers: Int) {
        let limit = Self.rest + workers * (4 << 20)
        #expect(live.peakMemory < limit, "\(live.peakMemory >> 20) MiB of \(limit >> 20)")
        #expect(live.process.isRunning, "\(live.process.errors)")
    }

    @Test(arguments: [false, true])
    func `is bounded while 600 connections send a frame each before their handshakes have failed`(keys: Bool) throws {
        let live = try LiveCoordinator(keys: keys)
        var opening = ZMTP.greeting
        if keys { opening.replaceSubrange(12..<17, with: Array("CURVE".utf8)) }
        // Announces 1 MiB and sends all of it but a byte.
        let content = opening + [2, 0, 0, 0, 0, 0, 0x10, 0, 0] + [UInt8](repeating: 0, count: (1 << 20) - 1)
        let connections = try (0..<600).map { _ in
            let connection = try RawConnection(port: live.port)
            connection.write(content)
            return connection
        }
        // Of 600 MiB.
        expectBounded(live, workers: 0)
        #expect(connections.count == 600)
        try live.finish(rejecting: ["waiting_bytes"])
    }

    @Test func `is bounded while a stranger sends a message that never ends`() throws {
        let live = try LiveCoordinator()
        for _ in 0..<4 {
            let connection = try RawConnection(port: live.port)
            try connection.greet()
            let frame: [UInt8] = [3, 0, 0, 0, 0, 0, 0x10, 0, 0] + [UInt8](repeating: 0, count: 1 << 20)
            var sent = 0
            while sent < 1024, connection.write(frame) { sent += 1 }
            #expect(sent < 1024)
        }
        // Of 4 GiB.
        expectBounded(live, workers: 0)
        try live.finish(rejecting: ["waiting_bytes"])
    }

    @Test(arguments: [false, true])
    func `is bounded while a worker sends ten thousand frames of 1 MiB as one message`(keys: Bool) throws {
        let live = try LiveCoordinator(keys: keys)
        let peer = try HostilePeer(live.endpoint, keys: keys ? live.pair(of: "worker") : nil)
        try peer.join()
        try peer.sendHugeMessage(frames: 10_000)
        #expect(live.process.wait { live.process.errors.contains("was cut") }, "\(live.process.errors)")
        // Of 10 GiB.
        expectBounded(live, workers: 1)
        try live.finish(rejecting: ["waiting_bytes"])
    }

    @Test func `is bounded while 64 workers send what they were never asked for, again and again`() throws {
        let live = try LiveCoordinator()
        let peers = try (0..<64).map { _ in try HostilePeer(live.endpoint) }
        for peer in peers { try peer.join() }
        let content = [UInt8](repeating: 0, count: 1 << 20)
        for round in 0..<6 {
            for peer in peers {
                // The first of an answer that is longer than all parameters; for a step that is over; for shards of others.
                _ = try peer.send([peer.answer(ShardRange(0..<1), step: UInt64(round), content)])
                _ = try peer.send([peer.answer(ShardRange(0..<8), step: 0, content)])
            }
        }
        expectBounded(live, workers: 64)
        try live.finish(rejecting: ["total"])
    }

    @Test func `is bounded while 1500 connections come and say nothing, and a worker gets in`() throws {
        let live = try LiveCoordinator()
        var limit = rlimit()
        _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let count = min(1500, Int(limit.rlim_cur) - 200)
        let connections = try (0..<count).map { _ in try RawConnection(port: live.port) }
        // The oldest of too many, or those that have said nothing for 5 s.
        #expect(connections[0].isCut(within: 10))
        expectBounded(live, workers: 0)
        try live.finish()
    }

    /// They send as fast as they can what takes many of the longest frames, each of a message of its own.
    @Test(arguments: [false, true])
    func `is bounded without a word where workers mean well, whose answers are of many MiB`(keys: Bool) throws {
        let live = try LiveCoordinator(
            keys: keys,
            [
                "--hidden-size", "1024", "--embedding-dim", "256", "--batch-size", "8", "--shards", "8", "--steps",
                "24",
                "--checkpoint-every", "24",
            ])
        let workers = try (0..<3).map { _ in try live.startWorker() }
        let outcome = live.process.wait()
        for worker in workers {
            // One that was still computing is told of the end by nobody.
            worker.signal(SIGTERM)
            let errors = worker.wait().errors
            #expect(errors.contains("joined") && !errors.contains("was cut"), "\(errors)")
        }
        #expect(outcome.code == 0 && !outcome.errors.contains("was cut"), "\(outcome.errors)")
        let summary = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        #expect(try #require(summary?["rejected"] as? [String: Int]) == [:])
    }
}
