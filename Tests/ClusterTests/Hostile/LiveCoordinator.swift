import Coordination
import Foundation
import Messaging
import TensorCore
import Testing
import Training

/// A real coordinator that trains something tiny over TCP, and what became of it.
final class LiveCoordinator {
    private let place: Workplace
    let keys: String?
    let process: RunningProcess
    let endpoint: String

    private static let training = [
        "--set", "addition", "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--steps", "300",
        "--validation-every", "100000", "--checkpoint-every", "100000",
    ]

    /// What the same training gives with nobody about.
    static let expected = Result {
        let place = try Workplace()
        return try place.run(["train", "--run", "\(place.path)/run", "--json"] + training).member("parameters_sha256")
    }

    init(keys withKeys: Bool = false, _ options: [String] = []) throws {
        place = try Workplace()
        keys = withKeys ? "\(place.path)/keys" : nil
        var arguments = [
            "coordinator", "--bind", "tcp://127.0.0.1:*", "--fallback-after", "100000", "--run", "\(place.path)/run",
        ]
        if let keys {
            #expect(try place.run(["keys", "new", keys]).code == 0)
            arguments += ["--keys", keys]
        }
        // One that is given stands in the place of the usual.
        let usual = stride(from: 0, to: Self.training.count - 1, by: 2).map { Self.training[$0...$0 + 1] }
            .filter { !options.contains($0[$0.startIndex]) }.flatMap(\.self)
        let started = try place.start(arguments + usual + ["--json"] + options)
        process = started
        let isReady = started.wait { started.errors.contains("--connect ") }
        #expect(isReady, "\(started.errors)")
        endpoint = started.errors.components(separatedBy: "--connect ").last!.components(separatedBy: "\n")[0]
    }

    deinit { if process.isRunning { process.signal(SIGKILL) } }

    var port: UInt16 { UInt16(endpoint.split(separator: ":").last ?? "") ?? 0 }

    /// Makes a worker's keys.
    func add(_ name: String) throws { #expect(try place.run(["keys", "add", keys ?? "", name]).code == 0) }

    func revoke(_ name: String) throws { #expect(try place.run(["keys", "revoke", keys ?? "", name]).code == 0) }

    func pair(of name: String) throws -> (pair: CurvePair, server: CurvePublicKey) {
        let directory = "\(keys ?? "")/workers/\(name)"
        func value(_ field: String, _ file: String) throws -> String {
            let text = try String(contentsOfFile: "\(directory)/\(file)", encoding: .utf8)
            return try #require(text.components(separatedBy: "\(field) = \"").last?.components(separatedBy: "\"").first)
        }
        return (
            try #require(CurvePair(secretText: value("secret-key", "worker.key_secret"))),
            try #require(CurvePublicKey(value("public-key", "coordinator.key")))
        )
    }

    func startWorker(at endpoint: String? = nil) throws -> RunningProcess {
        try place.start(
            ["worker", "--connect", endpoint ?? self.endpoint] + (keys.map { ["--keys", $0] } ?? []))
    }

    /// The most memory that the coordinator has had at a time, in bytes.
    var peakMemory: Int { ProcessTable.peakMemory(of: process.identifier) }

    /// Bytes of the ledger, which grows with every step.
    var ledgerSize: Int {
        (try? FileManager.default.attributesOfItem(atPath: "\(place.path)/run/ledger.jsonl")[.size] as? Int) ?? 0
    }

    func verify(steps: String) throws -> Outcome { try place.run(["verify", "\(place.path)/run", "--steps", steps]) }

    /// Lets one good worker do the whole run, and holds its end against that of an undisturbed one.
    ///
    /// - Parameters:
    ///   - kinds: what must have been rejected.
    ///   - meanwhile: done again and again until the run ends.
    func finish(rejecting kinds: [String] = [], _ meanwhile: () throws -> Void = {}) throws {
        let worker = try startWorker()
        while process.isRunning {
            try meanwhile()
            usleep(50_000)
        }
        let outcome = process.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try outcome.member("parameters_sha256") == Self.expected.get(), "\(outcome.errors)")
        let summary = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        let rejected = try #require(summary?["rejected"] as? [String: Int])
        for kind in kinds { #expect(rejected[kind, default: 0] > 0, "\(kind) in \(rejected): \(outcome.errors)") }
        if !kinds.isEmpty { #expect(outcome.errors.contains("rejected: "), "\(outcome.errors)") }
        // Where the attackers were workers and all of them have gone, the coordinator may have been done before this one came.
        if !worker.errors.contains("joined") { worker.signal(SIGTERM) }
        let end = worker.wait()
        #expect(end.code == 0 || !end.errors.contains("joined"), "\(end)")
    }
}

/// The one context of the test process.
let sharedContext = Result { try Context() }

/// Somebody who speaks ZeroMQ to a coordinator, and says what it likes.
final class HostilePeer {
    private let socket: Socket
    private let monitor: SocketMonitor
    let identity: [UInt8]
    private(set) var run = RunID.none
    private(set) var incarnation: UInt64 = 0
    private(set) var welcome: Welcome?

    init(
        _ endpoint: String, identity: [UInt8]? = [UInt8(ascii: "H")] + (0..<15).map { _ in UInt8.random(in: 0...255) },
        keys: (pair: CurvePair, server: CurvePublicKey)? = nil
    ) throws {
        self.identity = identity ?? []
        // No limits of its own.
        var options = SocketOptions(
            maximumMessageBytes: 1 << 31, sendHighWater: 100_000, receiveHighWater: 100_000,
            identity: identity.map { PeerIdentity($0) })
        if let keys { options.security = .client(keys.pair, server: keys.server) }
        socket = try Socket(.dealer, in: sharedContext.get(), options: options)
        monitor = try SocketMonitor(of: socket)
        try socket.connect(Endpoint(endpoint))
    }

    /// The first failure of a handshake; nil when one succeeded.
    func handshakeFailure() throws -> MonitorEvent.HandshakeFailure? {
        while let event = try monitor.next(within: .seconds(10)) {
            if case .handshakeFailed(let failure) = event.kind { return failure }
            if event.kind == .handshakeSucceeded { return nil }
        }
        Issue.record("neither a handshake nor its failure")
        return nil
    }

    /// Waits until a connection of it has ended.
    func isCut() throws -> Bool {
        while let event = try monitor.next(within: .seconds(10)) { if event.kind == .disconnected { return true } }
        return false
    }

    @discardableResult
    func send(_ frames: [[UInt8]]) throws -> Bool {
        try socket.send(frames.map { .bytes($0) }, within: .seconds(10)) == .sent
    }

    /// Sends one message of so many frames of 1 MiB, all of which lie in one block here.
    func sendHugeMessage(frames: Int) throws {
        let block = SharedBytes(byteCount: 1 << 20)
        _ = try socket.send([Payload](repeating: .shared(block), count: frames), within: .seconds(10))
    }

    @discardableResult
    func send(_ message: Coordination.Message) throws -> Bool {
        let (header, payload) = message.encoded()
        return try send([header + payload])
    }

    @discardableResult
    func say(_ body: Coordination.Message.Body) throws -> Bool {
        try send(Message(body, run: run, incarnation: incarnation))
    }

    func receive(within duration: Duration = .seconds(10)) throws -> Coordination.Message? {
        guard case .message(let message)? = try socket.receive(within: duration) else { return nil }
        let bytes = message.frames[0].bytes
        let (header, payload) = (Array(bytes.prefix(Header.byteCount)), Array(bytes.dropFirst(Header.byteCount)))
        return try unsafe Message(header: header.span.bytes, payload: payload.span.bytes, receiver: .worker)
    }

    /// The next message of a kind; others are passed over.
    func receive(_ kind: MessageKind) throws -> Coordination.Message? {
        while let message = try receive() { if message.header.kind == kind { return message } }
        return nil
    }

    static func hello(session: UInt64 = 1, version: String = Release.version) -> Coordination.Message {
        let hello = Hello(
            session: session, version: version, fingerprint: NumericsFingerprint.measure().bytes, label: "hostile",
            threads: 1)
        return Message(.hello(hello), run: .none, incarnation: 0)
    }

    static let status = WorkerStatus(session: 1, wanted: 2, isComputing: false, progress: 0)

    /// Becomes a worker that waits for work.
    func join() throws { try #require(try joinIfThereIsRoom()) }

    /// Becomes a worker that waits for work, or is told that there are as many as there may be.
    func joinIfThereIsRoom() throws -> Bool {
        try send(Self.hello())
        while let message = try receive() {
            switch message.body {
            case .welcome(let welcome):
                (run, incarnation, self.welcome) = (message.header.run, message.header.incarnation, welcome)
                return try say(.pull(Self.status))
            case .refused(let refusal) where refusal.code == .full: return false
            default: continue
            }
        }
        var events: [String] = []
        while let event = try monitor.next(within: .zero) { events.append("\(event.kind)") }
        throw NoReply(description: "no reply to a hello within 10 s; the connection: \(events)")
    }

    struct NoReply: Error, CustomStringConvertible { let description: String }

    /// A frame of an answer for these shards, with a checksum that fits.
    func answer(
        _ shards: ShardRange, step: UInt64, _ content: [UInt8], run: RunID? = nil, incarnation: UInt64? = nil,
        change: (inout Header) -> Void = { _ in }
    ) -> [UInt8] {
        var header = StreamFrames(
            .answer, run: run ?? self.run, incarnation: incarnation ?? self.incarnation, step: step, shards: shards,
            total: content.count)[0]
        change(&header)
        return unsafe header.encoded(with: content.span.bytes) + content
    }
}
