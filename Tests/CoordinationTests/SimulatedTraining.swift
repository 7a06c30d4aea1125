import Coordination

/// A training whose numbers are hashes: adding is neither associative nor commutative, so that any fault in order,
/// count or parameters shows in every later step.
struct SimulatedTraining {
    let shards: Int
    let salt: UInt64

    var firstParameters: UInt64 { mixed(salt) }

    func batch(step: UInt64, range: ShardRange) -> UInt64 {
        mixed(salt ^ mixed(step) ^ mixed(UInt64(range.first) << 32 | UInt64(range.count)))
    }

    /// One shard's sum; nil for an empty shard.
    func leaf(step: UInt64, shard: Int, parameters: UInt64) -> UInt64? {
        let value = mixed(parameters &+ mixed(step &* 1_000_003 &+ UInt64(shard)))
        return value % 7 == 0 ? nil : value
    }

    static func add(_ left: UInt64, _ right: UInt64) -> UInt64 {
        mixed(left &* 3 &+ right)
    }

    func sum(step: UInt64, shards: Range<Int>, parameters: UInt64) -> UInt64? {
        guard shards.count > 1 else { return leaf(step: step, shard: shards.lowerBound, parameters: parameters) }
        let middle = (shards.lowerBound + shards.upperBound) / 2
        let left = sum(step: step, shards: shards.lowerBound..<middle, parameters: parameters)
        let right = sum(step: step, shards: middle..<shards.upperBound, parameters: parameters)
        guard let left, let right else { return left ?? right }
        return SimulatedTraining.add(left, right)
    }

    func updated(_ parameters: UInt64, with root: UInt64?) -> UInt64 {
        mixed(parameters ^ (root ?? 0x5EED))
    }

    /// The parameters before each step and after the last, as one process without a fault makes them.
    func faultFree(steps: Int) -> [UInt64] {
        var parameters = [firstParameters]
        for step in 0..<steps {
            let root = sum(step: UInt64(step), shards: 0..<shards, parameters: parameters[step])
            parameters.append(updated(parameters[step], with: root))
        }
        return parameters
    }
}

/// A message on the simulated network; a stream frame comes with the number that stands for the stream's content.
struct Packet {
    var message: Message
    var content: UInt64?

    /// The frames of a stream whose content is `value`, with checksums that depend on it.
    static func stream(
        _ kind: MessageKind, run: RunID, incarnation: UInt64, step: UInt64, shards: ShardRange?, total: Int,
        value: UInt64?
    ) -> [Packet] {
        StreamFrames(kind, run: run, incarnation: incarnation, step: step, shards: shards, total: total).map { header in
            var header = header
            header.checksum = mixed((value ?? 1) &+ header.offset)
            let body: Message.Body =
                switch kind {
                case .answer: .answer
                case .parameters: .parameters
                default: .assignment
                }
            return Packet(message: Message(header: header, body: body), content: value)
        }
    }

    /// A control message that has been through its bytes.
    static func control(_ message: Message) throws(DecodeError) -> Packet {
        let (header, payload) = message.encoded()
        let receiver: Role = message.header.kind.sender == .worker ? .coordinator : .worker
        let decoded = try unsafe Message(header: header.span.bytes, payload: payload.span.bytes, receiver: receiver)
        return Packet(message: decoded, content: nil)
    }
}

/// What went wrong in a simulation, and when.
struct SimulationFailure: Error, CustomStringConvertible {
    let description: String
}
