import Coordination
import Foundation
import Messaging
import Testing
import TestSupport

/// Attacks of those who have no key, or not the right one. Each ends with a good worker that does the whole run.
@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A stranger` {
    @Test func `without a key, with a key of elsewhere or for another coordinator does not get past the handshake`()
        throws
    {
        let live = try LiveCoordinator(keys: true)
        let own = try live.pair(of: "worker")
        let foreign = try CurvePair.generate()
        // A mechanism that does not match, or a connection that is closed before this end has read so far.
        #expect(try HostilePeer(live.endpoint).handshakeFailure() != nil)
        #expect(
            try HostilePeer(live.endpoint, keys: (foreign, own.server)).handshakeFailure() == .refused(400))
        let mistaken = try HostilePeer(live.endpoint, keys: (own.pair, foreign.publicKey))
        guard case .system? = try mistaken.handshakeFailure() else { throw SocketFailure() }
        // What one of them sends goes nowhere.
        let mute = try HostilePeer(live.endpoint, keys: (foreign, own.server))
        _ = try mute.send(HostilePeer.hello())
        #expect(try mute.receive(within: .milliseconds(200)) == nil)
        try live.finish(rejecting: ["key", "handshake"])
    }

    @Test(arguments: [false, true])
    func `that sends random bytes, some behind a good greeting, changes nothing`(keys: Bool) throws {
        let live = try LiveCoordinator(keys: keys)
        let seed =
            ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...(.max))
        var random = SplitMix(state: seed)
        for round in 0..<200 {
            let connection = try RawConnection(port: live.port)
            if round % 4 > 0 { connection.write(keys ? ZMTP.curveGreeting : ZMTP.greeting) }
            if round % 4 > 1 {
                connection.write(keys ? ZMTP.curveHello { .random(in: 0...255, using: &random) } : ZMTP.ready)
            }
            connection.write(
                (0..<Int.random(in: 1...3000, using: &random)).map { _ in .random(in: 0...255, using: &random) })
        }
        #expect(live.process.isRunning, "LOCKSTEP_TEST_SEED=\(seed): \(live.process.errors)")
        try live.finish(rejecting: ["handshake"])
    }

    @Test(arguments: [false, true])
    func `with 1000 connections that never speak holds nobody up`(keys: Bool) throws {
        let live = try LiveCoordinator(keys: keys)
        var limit = rlimit()
        _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let count = min(1000, Int(limit.rlim_cur) - 200)
        let connections = try (0..<count).map { _ in try RawConnection(port: live.port) }
        #expect(connections.count == count)
        let peak = live.peakMemory
        #expect(peak < 256 << 20, "\(peak >> 20) MiB")
        try live.finish()
    }

    @Test(arguments: [false, true])
    func `that never speaks, or not to the end, is let go of and counted while the coordinator stays`(keys: Bool) throws
    {
        let live = try LiveCoordinator(keys: keys)
        let connections = try (0..<50).map { _ in try RawConnection(port: live.port) }
        for connection in connections.prefix(10) { connection.write(Array(ZMTP.greeting.prefix(20))) }
        #expect(connections.allSatisfy { $0.isCut(within: 20) })
        #expect(live.process.isRunning, "\(live.process.errors)")
        try live.finish(rejecting: ["handshake"])
    }

    @Test func `that announces a gigabyte is cut off, with keys or without, and costs no memory`() throws {
        for keys in [false, true] {
            let live = try LiveCoordinator(keys: keys)
            let announcement: [UInt8] = [2, 0, 0, 0, 0, 0x40, 0, 0, 0]
            for _ in 0..<20 {
                let connection = try RawConnection(port: live.port)
                connection.write(keys ? ZMTP.curveGreeting : ZMTP.greeting + ZMTP.ready)
                connection.write(announcement)
                #expect(connection.isCut(within: 10))
            }
            #expect(live.peakMemory < 256 << 20)
            try live.finish()
        }
    }

    @Test(arguments: [false, true])
    func `that plays a recorded session back takes nobody's place`(keys: Bool) throws {
        let live = try LiveCoordinator(keys: keys)
        let relay = try Relay(to: live.port)
        let good = try live.startWorker(at: "tcp://127.0.0.1:\(relay.port)")
        // Until it holds work and has begun to answer.
        #expect(live.process.wait { relay.recorded.contains { $0.count > 20_000 } })
        let recorded = relay.recorded
        good.signal(SIGKILL)
        _ = good.wait()
        relay.end()
        for session in recorded {
            for _ in 0..<3 {
                let connection = try RawConnection(port: live.port)
                connection.write(session)
                // With keys the handshake is another each time.
                if keys { #expect(connection.isCut(within: 10)) }
            }
        }
        try live.finish()
    }
}

/// Numbers that follow from where they begin (Steele, Lea and Flood, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
