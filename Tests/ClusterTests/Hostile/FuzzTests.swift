import Coordination
import Foundation
import Messaging
import Testing
import TestSupport

/// Random bytes against a live coordinator: recorded sessions changed here and there, on raw connections, and well-framed messages with
/// changed fields. After each burst the good worker must finish a step.
///
/// `LOCKSTEP_FUZZ_SECONDS` says for how long; two seconds where it is not set.
@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(120)))
struct `The fuzzer of live connections` {
    @Test(arguments: [false, true])
    func `finds no bytes after which the good worker does not go on`(keys: Bool) throws {
        let environment = ProcessInfo.processInfo.environment
        let seconds = environment["LOCKSTEP_FUZZ_SECONDS"].flatMap { Double($0) } ?? 2
        let seed = environment["LOCKSTEP_TEST_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...(.max))
        var random = SplitMix(state: seed)
        let live = try LiveCoordinator(keys: keys, ["--steps", "40000000"])
        let relay = try Relay(to: live.port)
        let good = try live.startWorker(at: "tcp://127.0.0.1:\(relay.port)")
        #expect(live.process.wait { relay.recorded.contains { $0.count > 100_000 } }, "\(live.process.errors)")
        let recorded = relay.recorded.map { Array($0.prefix(100_000)) }
        let peerKeys = keys ? try live.pair(of: "worker") : nil
        let end = ContinuousClock.now + .seconds(seconds)
        var bursts = 0
        var refused = 0
        while ContinuousClock.now < end {
            for _ in 0..<8 { Self.connect(to: live.port, saying: Self.changed(recorded, &random)) }
            let peer = try HostilePeer(live.endpoint, keys: peerKeys)
            do {
                if bursts % 2 == 0, try !peer.joinIfThereIsRoom() { refused += 1 }
            } catch {
                Issue.record("burst \(bursts), LOCKSTEP_TEST_SEED=\(seed): \(error); \(live.process.errors)")
                throw error
            }
            for _ in 0..<4 { try peer.send(Self.message(peer, &random)) }
            let before = live.ledgerSize
            let goesOn = live.process.wait { live.ledgerSize > before || !good.isRunning }
            let what = "burst \(bursts), LOCKSTEP_TEST_SEED=\(seed): \(live.process.errors)\(good.errors)"
            try #require(goesOn && live.process.isRunning && good.isRunning, "\(what)")
            bursts += 1
        }
        #expect(bursts > 2 * refused, "\(refused) of \(bursts) bursts found no room")
        print("\(bursts) bursts \(keys ? "with keys" : "without keys"), \(refused) of whose peers found no room")
        live.process.signal(SIGTERM)
        let outcome = live.process.wait()
        #expect(outcome.code == 143, "\(outcome.errors)")
        _ = good.wait()
        relay.end()
        let verified = try live.verify(steps: "1..40")
        #expect(verified.code == 0, "\(verified)")
    }

    /// The coordinator may cut the connection at any byte.
    private static func connect(to port: UInt16, saying bytes: [UInt8]) {
        guard let connection = try? RawConnection(port: port) else { return }
        connection.write(bytes)
    }

    /// A piece of a session with some bytes changed, cut out, repeated or put in.
    private static func changed(_ recorded: [[UInt8]], _ random: inout SplitMix) -> [UInt8] {
        var bytes = recorded.randomElement(using: &random) ?? []
        bytes = Array(bytes.prefix(.random(in: 1...max(1, bytes.count), using: &random)))
        for _ in 0..<Int.random(in: 0...8, using: &random) where !bytes.isEmpty {
            // Most of what is worth changing stands at the beginning.
            let reach = Bool.random(using: &random) ? min(bytes.count, 400) : bytes.count
            let place = Int.random(in: 0..<reach, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = .random(in: 0...255, using: &random)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...9, using: &random)))
            default:
                let count = Int.random(in: 1...64, using: &random)
                bytes.insert(contentsOf: (0..<count).map { _ in .random(in: 0...255, using: &random) }, at: place)
            }
        }
        return bytes
    }

    /// One to three frames: a message of some kind with fields of all sizes, its checksum right half of the time.
    private static func message(_ peer: HostilePeer, _ random: inout SplitMix) -> [[UInt8]] {
        func number() -> UInt64 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: .random(in: 0...8, using: &random)
            case 1: 1 << UInt64.random(in: 0..<64, using: &random)
            case 2: .max - .random(in: 0...2, using: &random)
            default: .random(in: 0...(.max), using: &random)
            }
        }
        var content = (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
        }
        if Bool.random(using: &random) { content = [] }
        var bytes = peer.answer(ShardRange(0..<1), step: number(), content) { header in
            header.kind = MessageKind.allCases.randomElement(using: &random) ?? .hello
            if Bool.random(using: &random) { header.incarnation = number() }
            if Bool.random(using: &random) { header.firstShard = UInt32(truncatingIfNeeded: number()) }
            if Bool.random(using: &random) { header.shardCount = UInt32(truncatingIfNeeded: number()) }
            if Bool.random(using: &random) { header.offset = number() }
            if Bool.random(using: &random) { header.total = number() }
        }
        if Bool.random(using: &random) {
            bytes[.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
        }
        return [[UInt8]](repeating: bytes, count: Int.random(in: 0..<8, using: &random) == 0 ? 3 : 1)
    }
}
