import Coordination
import Testing

/// A message of every kind, with fields that are not zero wherever they may be.
struct WireSamples {
    static let run = RunID(low: 0x1122_3344_5566_7788, high: 0x99AA_BBCC_DDEE_FF01)
    static let status = WorkerStatus(session: 3, wanted: 2, isComputing: true, progress: 99)
    static let hello = Hello(
        session: 1, version: "0.1.0", fingerprint: (0..<32).map { UInt8($0) }, label: "host/1234", threads: 4)
    static let welcome = Welcome(
        session: 1, shards: 16, parameterBytes: 3 << 20, answerLimit: 4 << 20, assignmentLimit: 1 << 22,
        controlEndpoint: "ipc:///tmp/x/control", model: [1, 2, 3])

    struct Frames {
        var header: [UInt8]
        var payload: [UInt8]
        let receiver: Role

        func decoded() throws(DecodeError) -> Message {
            try unsafe Message(header: header.span.bytes, payload: payload.span.bytes, receiver: receiver)
        }
    }

    static func control(_ body: Message.Body, shards: ShardRange? = nil) -> Message {
        if case .hello = body { return Message(body, run: .none, incarnation: 0) }
        return Message(body, run: run, incarnation: 7, step: shards == nil ? 0 : 41, shards: shards)
    }

    static var controlMessages: [Message] {
        [
            control(.hello(hello)), control(.pull(status)), control(.pull(status), shards: ShardRange(3..<8)),
            control(.goodbye(reason: "signal")), control(.ping(status)), control(.welcome(welcome)),
            control(.refused(Refusal(.full, "no room"))), control(.register), control(.pong),
            control(.stop(reason: "done")),
        ]
    }

    static func stream(_ kind: MessageKind, shards: ShardRange?, total: Int, frame: Int) -> Frames {
        let frames = StreamFrames(kind, run: run, incarnation: 7, step: 41, shards: shards, total: total)
        let header = frames[frame]
        let payload = (0..<Int(header.length)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ frame) }
        return unsafe Frames(
            header: header.encoded(with: payload.span.bytes), payload: payload,
            receiver: kind.sender == .worker ? .coordinator : .worker)
    }

    /// The frames of every kind of message.
    static var all: [Frames] {
        let control = controlMessages.map { message in
            let (header, payload) = message.encoded()
            return Frames(
                header: header, payload: payload,
                receiver: message.header.kind.sender == .worker ? .coordinator : .worker)
        }
        return control + [
            stream(.answer, shards: ShardRange(4..<8), total: 300, frame: 0),
            stream(.answer, shards: ShardRange(4..<8), total: 0, frame: 0),
            stream(.parameters, shards: nil, total: frameBytes + 77, frame: 1),
            stream(.assignment, shards: ShardRange(3..<8), total: 1000, frame: 0),
        ]
    }
}

@Suite struct WireTests {
    @Test func `every kind of message reads back as it was written`() throws {
        for message in WireSamples.controlMessages {
            let (header, payload) = message.encoded()
            let receiver: Role = message.header.kind.sender == .worker ? .coordinator : .worker
            let decoded = try WireSamples.Frames(header: header, payload: payload, receiver: receiver).decoded()
            #expect(decoded.body == message.body)
            #expect(decoded.header.range == message.header.range)
            #expect(decoded.header.step == message.header.step)
            #expect(decoded.header.run == message.header.run)
        }
        #expect(Set(try WireSamples.all.map { try $0.decoded().header.kind }) == Set(MessageKind.allCases))
    }

    @Test func `the checksum of frames is the one that the protocol's page describes`() {
        #expect(unsafe Header.checksum([UInt8]().span.bytes) == 0x24C6_D164_BB3D_80AA)
        #expect(unsafe Header.checksum(Array("lockstep".utf8).span.bytes) == 0xF44D_AE90_B79A_942E)
        #expect(unsafe Header.checksum([UInt8](repeating: 1, count: 300).span.bytes, seed: 7) == 0xEADE_650D_AED5_643B)
    }

    @Test func `the header's bytes are laid out as documented`() throws {
        let frames = WireSamples.stream(.answer, shards: ShardRange(4..<8), total: 300, frame: 0)
        #expect(frames.header.count == 80)
        #expect(Array(frames.header[0..<8]) == Array("LKSP".utf8) + [3, 0, 3, 0])
        #expect(
            Array(frames.header[8..<24]) == [
                0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x01, 0xFF, 0xEE, 0xDD, 0xCC, 0xBB, 0xAA, 0x99,
            ])
        #expect(frames.header[24] == 7 && frames.header[32] == 41 && frames.header[40] == 4 && frames.header[44] == 4)
        #expect(frames.header[48] == 0 && Array(frames.header[56..<58]) == [44, 1])
        #expect(Array(frames.header[64..<66]) == [44, 1] && frames.header[68] == 0)
    }

    @Test func `a stream is cut on the frame grid`() {
        let headers = Array(
            StreamFrames(.parameters, run: WireSamples.run, incarnation: 1, step: 2, total: 2 * frameBytes + 5))
        #expect(headers.map(\.offset) == [0, UInt64(frameBytes), UInt64(2 * frameBytes)])
        #expect(headers.map(\.length) == [UInt32(frameBytes), UInt32(frameBytes), 5])
        let whole = StreamFrames(.parameters, run: WireSamples.run, incarnation: 1, step: 2, total: frameBytes)
        #expect(whole.count == 1)
    }

    @Test func `a stream is whole when each frame was there once, in any order`() throws {
        let frames = StreamFrames(
            .parameters, run: WireSamples.run, incarnation: 1, step: 2, total: 70 * frameBytes + 1)
        for seed in testSeeds(20) {
            var generator = SeededGenerator(seed: seed)
            var assembly = try StreamAssembly(total: UInt64(70 * frameBytes + 1), limit: 1 << 30)
            for (count, index) in (0..<71).shuffled(using: &generator).enumerated() {
                #expect(!assembly.isWhole && assembly.missingFrames == 71 - count, replay(seed))
                #expect(try assembly.accept(frames[index]) == .new, replay(seed))
                #expect(try assembly.accept(frames[index]) == .repeated, replay(seed))
            }
            #expect(assembly.isWhole, replay(seed))
        }
    }

    @Test func `a stream past the limit, of another length or with a changed frame is refused`() throws {
        #expect(throws: StreamAssembly.Failure.tooLong(total: 11, limit: 10)) {
            try StreamAssembly(total: 11, limit: 10)
        }
        var assembly = try StreamAssembly(total: 10, limit: 10)
        let longer = StreamFrames(.parameters, run: WireSamples.run, incarnation: 1, step: 2, total: 11)[0]
        #expect(throws: StreamAssembly.Failure.otherTotal(11, wanted: 10)) { try assembly.accept(longer) }
        var header = StreamFrames(.parameters, run: WireSamples.run, incarnation: 1, step: 2, total: 10)[0]
        #expect(try assembly.accept(header) == .new)
        header.checksum ^= 1
        #expect(throws: StreamAssembly.Failure.changed(offset: 0)) { try assembly.accept(header) }
    }

    @Test func `no flipped bit of any message goes unnoticed`() {
        for frames in WireSamples.all {
            for bit in 0..<frames.header.count * 8 {
                var broken = frames
                broken.header[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(throws: DecodeError.self, "header bit \(bit)") { try broken.decoded() }
            }
            for bit in 0..<min(frames.payload.count, 200) * 8 {
                var broken = frames
                broken.payload[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(throws: DecodeError.self, "payload bit \(bit)") { try broken.decoded() }
            }
        }
    }

    @Test func `no byte too few or too many goes unnoticed`() {
        for frames in WireSamples.all {
            for change in [-1, 1] {
                var broken = frames
                if change < 0 { broken.header.removeLast() } else { broken.header.append(0) }
                #expect(throws: DecodeError(.headerLength, wanted: 80, got: UInt64(80 + change))) {
                    try broken.decoded()
                }
            }
            var longer = frames
            longer.payload.append(0)
            #expect(throws: DecodeError.self) { try longer.decoded() }
            if !frames.payload.isEmpty {
                var shorter = frames
                shorter.payload.removeLast()
                #expect(throws: DecodeError.self) { try shorter.decoded() }
            }
        }
    }

    /// Fields changed by somebody who seals the message again; nil where the message stays well formed.
    private static let forgeries:
        [(name: String, kind: MessageKind, at: Int, value: [UInt8], error: DecodeError.Code?)] = [
            ("magic", .answer, 0, [0x4D], .magic),
            ("version", .answer, 4, [UInt8(protocolVersion) + 1], .version),
            ("version before all else", .answer, 4, [0, 0, 99, 99], .version),
            ("unknown kind", .answer, 6, [99], .kind),
            ("a kind of the receiver's own", .answer, 6, [18], .direction),
            ("a place that is not known", .answer, 68, [2], .place),
            ("a place for what is no stream", .ping, 68, [1], .place),
            ("hello with a run", .hello, 8, [1], .notZero),
            ("hello with an incarnation", .hello, 24, [1], .notZero),
            ("ping with a step", .ping, 32, [1], .notZero),
            ("ping with a first shard", .ping, 40, [1], .notZero),
            ("ping with shards", .ping, 44, [1], .notZero),
            ("ping with an offset", .ping, 48, [1], .notZero),
            ("ping with a total", .ping, 56, [1], .notZero),
            ("parameters with shards", .parameters, 44, [1], .notZero),
            ("an answer for no shards", .answer, 44, [0], .shards),
            ("an answer for three shards", .answer, 44, [3], .shards),
            ("a misaligned answer", .answer, 40, [2], .shards),
            ("shards past the limit", .answer, 40, [0, 0, 0, 0xF0], .shards),
            ("shards that overflow", .assignment, 40, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .shards),
            ("off the grid", .answer, 48, [1], .offset),
            ("offset past the end", .answer, 48, [0, 0, 16], .offset),
            ("total of no bytes", .answer, 56, [0, 0], .frameLength),
            ("total a byte longer", .answer, 56, [45, 1], .frameLength),
            ("total of 2^63", .answer, 56, [0, 0, 0, 0, 0, 0, 0, 0x80], .total),
            ("length a byte shorter", .answer, 64, [43, 1], .length),
            ("length a byte longer", .answer, 64, [45, 1], .length),
            ("length of 2^31", .answer, 64, [0, 0, 0, 0x80], .length),
            ("another run", .answer, 8, [1], nil),
            ("another incarnation", .answer, 24, [6], nil),
            ("step of 2^63", .answer, 32, [0, 0, 0, 0, 0, 0, 0, 0x80], nil),
        ]

    @Test func `a field that is out of its bounds is named even under a right checksum`() throws {
        for forgery in WireTests.forgeries {
            var frames = try #require(
                WireSamples.all.first { try $0.decoded().header.kind == forgery.kind && $0.payload.count != 0 })
            frames.header.replaceSubrange(forgery.at..<forgery.at + forgery.value.count, with: forgery.value)
            frames.header.replaceSubrange(72..<80, with: repeatElement(0, count: 8))
            let seal = unsafe Header.checksum(
                frames.payload.span.bytes, seed: Header.checksum(frames.header.span.bytes))
            for byte in 0..<8 { frames.header[72 + byte] = UInt8(truncatingIfNeeded: seal >> UInt64(8 * byte)) }
            do throws(DecodeError) {
                _ = try frames.decoded()
                #expect(forgery.error == nil, "\(forgery.name)")
            } catch {
                #expect(error.code == forgery.error, "\(forgery.name): \(error)")
            }
        }
    }

    @Test func `a payload that is not what its kind holds is named even under a right checksum`() throws {
        for seed in testSeeds(2000) {
            var generator = SeededGenerator(seed: seed)
            let message = try #require(WireSamples.controlMessages.randomElement(using: &generator))
            var (_, payload) = message.encoded()
            switch Int.random(in: 0..<3, using: &generator) {
            case 0 where !payload.isEmpty:
                payload[Int.random(in: 0..<payload.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            case 1 where !payload.isEmpty: payload.removeLast(Int.random(in: 1...payload.count, using: &generator))
            default: payload.append(UInt8.random(in: 0...255, using: &generator))
            }
            var header = message.header
            header.length = UInt32(payload.count)
            let frames = unsafe WireSamples.Frames(
                header: header.encoded(with: payload.span.bytes), payload: payload,
                receiver: header.kind.sender == .worker ? .coordinator : .worker)
            do throws(DecodeError) {
                let decoded = try frames.decoded()
                #expect(decoded.encoded().payload == payload, replay(seed))
            } catch {
                #expect(error.code == .payload, replay(seed))
            }
        }
    }

    @Test func `random bytes give an error and nothing else`() {
        for seed in testSeeds(2000) {
            var generator = SeededGenerator(seed: seed)
            var frames = WireSamples.Frames(
                header: (0..<(generator.chance(0.8) ? 80 : Int.random(in: 0...200, using: &generator))).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                },
                payload: (0..<Int.random(in: 0...300, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                },
                receiver: Bool.random(using: &generator) ? .coordinator : .worker)
            // Half of them get past the first three fields.
            if Bool.random(using: &generator), frames.header.count >= 8 {
                let kind = UInt8(truncatingIfNeeded: MessageKind.allCases.randomElement(using: &generator)!.rawValue)
                frames.header.replaceSubrange(0..<8, with: Array("LKSP".utf8) + [1, 0, kind, 0])
            }
            #expect(throws: DecodeError.self, replay(seed)) { try frames.decoded() }
        }
    }

    @Test func `what a person wrote is sent as printable characters`() throws {
        let message = WireSamples.control(.stop(reason: "fertig für heute\n" + String(repeating: "x", count: 3000)))
        let (header, payload) = message.encoded()
        let decoded = try WireSamples.Frames(header: header, payload: payload, receiver: .worker).decoded()
        guard case .stop(let reason) = decoded.body else { return #expect(Bool(false)) }
        #expect(reason.hasPrefix("fertig f?r heute?xxx"))
        #expect(reason.count == 1024)
    }

    @Test func `an error says what was wanted and what came`() {
        let error = DecodeError(.headerLength, wanted: 80, got: 3)
        #expect(error.message == "bytes of the header: wanted 80, got 3")
    }
}
