internal import Coordination

/// Messages of several peers, one after another, to a coordinator and a worker.
///
/// The input is records of a control byte, a length in two bytes, little-endian, and a frame of that length. Of the control byte, bits 0
/// and 1 say who receives: the coordinator, from one of three workers, or the worker (3). Bits 2 to 4 say how much time passes before.
/// Bit 5 puts length and checksum right, bit 6 the run and the incarnation too. Bit 7 has the coordinator find an answer unusable.
enum ConversationFuzzing {
    static let run = RunID(low: 0x0706_0504_0302_0100, high: 0x0F0E_0D0C_0B0A_0908)
    static let incarnation: UInt64 = 3

    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        var coordinator = FuzzedCoordinator()
        var worker = FuzzedWorker()
        try coordinator.take(.beginStep(0), at: .zero)
        try worker.take(.started, at: .zero)
        var rest = bytes[...]
        var now = Duration.zero
        while rest.count >= 3 {
            let control = rest.removeFirst()
            let length = Int(rest.removeFirst()) | Int(rest.removeFirst()) << 8
            var frame = Array(rest.prefix(length))
            rest = rest.dropFirst(length)
            if control & 0x40 != 0 { frame = addressed(frame) }
            if control & 0x20 != 0 { frame = FrameFuzzing.sealed(frame) }
            let pause = [0, 1, 10, 100, 1000, 3000, 6000, 60000][Int(control >> 2 & 7)]
            if pause > 0 {
                now += .milliseconds(pause)
                try coordinator.take(.tick, at: now)
                try worker.take(.tick, at: now)
            }
            switch control & 3 {
            case 3: try worker.take(event(frame), at: now)
            case let peer:
                coordinator.findsUnusable = control & 0x80 != 0
                try coordinator.take(event(frame, from: WorkerID([0x57, peer])), at: now)
            }
        }
    }

    /// Of this run, whatever it was of; a hello belongs to none.
    private static func addressed(_ frame: [UInt8]) -> [UInt8] {
        guard frame.count >= Header.byteCount, frame[6] != UInt8(MessageKind.hello.rawValue) else { return frame }
        var frame = frame
        FrameFuzzing.put(run.low, 8, at: 8, in: &frame)
        FrameFuzzing.put(run.high, 8, at: 16, in: &frame)
        FrameFuzzing.put(incarnation, 8, at: 24, in: &frame)
        return frame
    }

    private static func decode(_ frame: [UInt8], _ receiver: Role) -> Result<Message, DecodeError> {
        let border = min(Header.byteCount, frame.count)
        return Result { () throws(DecodeError) in
            let all = unsafe frame.span.bytes
            return try Message(
                header: all.extracting(first: border), payload: all.extracting(droppingFirst: border),
                receiver: receiver)
        }
    }

    private static func event(_ frame: [UInt8], from worker: WorkerID) -> CoordinatorEvent {
        switch decode(frame, .coordinator) {
        case .success(let message): .received(message, from: worker)
        case .failure(let error): .undecodable(error, from: worker)
        }
    }

    private static func event(_ frame: [UInt8]) -> WorkerEvent {
        switch decode(frame, .worker) {
        case .success(let message): .received(message)
        case .failure(let error): .undecodable(error)
        }
    }
}

/// A coordinator without numbers: whatever its machine asks for is done at once.
private struct FuzzedCoordinator {
    var findsUnusable = false
    private var machine: CoordinatorMachine
    private static let limit: UInt64 = 3 << 20

    init() {
        var configuration = CoordinatorConfiguration(
            run: ConversationFuzzing.run, incarnation: ConversationFuzzing.incarnation, shards: 4, version: "0.1.0",
            fingerprint: (0..<32).map { UInt8($0) }, parameterBytes: 1000, answerLimit: Self.limit,
            assignmentLimit: 5000, model: [1, 2, 3])
        configuration.maximumWorkers = 2
        machine = CoordinatorMachine(configuration)
    }

    mutating func take(_ event: CoordinatorEvent, at now: Duration) throws(FuzzFinding) {
        var events = [event]
        // A coordinator that is alone would go through all steps that there are.
        for _ in 0..<64 {
            guard !events.isEmpty else { break }
            for directive in machine.handle(events.removeFirst(), at: now) {
                if let next = try carryOut(directive) { events.append(next) }
            }
        }
        let load = machine.load
        try FuzzFinding.require(
            load.members <= 2 && load.ranges <= 8 && load.partialAnswers <= 32 && load.answers <= 15
                && load.banned <= 64,
            "the coordinator holds \(load)")
    }

    private func carryOut(_ directive: CoordinatorDirective) throws(FuzzFinding) -> CoordinatorEvent? {
        switch directive {
        case .send(let message, _):
            let (header, payload) = message.encoded()
            try FuzzFinding.require(
                FrameFuzzing.decode(header + payload, .worker) == message.sealed, "\(message) does not read back")
            return nil
        case .store(let frame):
            try FuzzFinding.require(
                frame.offset >= 0 && frame.length >= 0 && frame.offset + frame.length <= frame.total
                    && frame.total <= Self.limit, "\(frame) is past its end")
            return nil
        case .fold(let step, let subtree, _):
            return findsUnusable
                ? .unusable(step: step, subtree: subtree, reason: "so it was said")
                : .folded(step: step, subtree: subtree)
        case .computeLocally(let step, let range): return .computedLocally(step: step, range: range)
        case .stepReduced(let step): return .beginStep(step + 1)
        default: return nil
        }
    }
}

/// A worker that computes in no time.
private struct FuzzedWorker {
    private var machine = WorkerMachine(
        WorkerConfiguration(version: "0.1.0", fingerprint: (0..<32).map { UInt8($0) }, label: "host/1", threads: 1))

    mutating func take(_ event: WorkerEvent, at now: Duration) throws(FuzzFinding) {
        var events = [event]
        while !events.isEmpty {
            for directive in machine.handle(events.removeFirst(), at: now) {
                if let next = try carryOut(directive) { events.append(next) }
            }
        }
        try FuzzFinding.require(machine.load <= 4, "the worker holds \(machine.load) ranges")
    }

    private func carryOut(_ directive: WorkerDirective) throws(FuzzFinding) -> WorkerEvent? {
        switch directive {
        case .send(let message):
            let (header, payload) = message.encoded()
            try FuzzFinding.require(
                FrameFuzzing.decode(header + payload, .coordinator) == message.sealed, "\(message) does not read back")
            return nil
        case .storeAssignment(let frame):
            try FuzzFinding.require(
                frame.offset >= 0 && frame.offset + frame.length <= frame.total, "\(frame) is past its end")
            return nil
        case .compute(let step, let range): return .computed(step: step, range: range)
        default: return nil
        }
    }
}

extension Message {
    /// As it is after its way over the wire: with a checksum.
    fileprivate var sealed: Message {
        var header = header
        let payload = encoded().payload
        header.checksum = unsafe header.checksum(over: payload.span.bytes)
        return Message(header: header, body: body)
    }
}
