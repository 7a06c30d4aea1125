import Coordination

/// One frame on the simulated network: the bytes as they would be sent, and what only the simulation knows of them.
struct Packet {
    enum Channel {
        case data
        case control
    }

    /// Header and payload in one, as between real processes.
    var bytes: [UInt8]
    /// The worker process at one end, whatever name it goes by.
    let process: Int
    let channel: Channel
    /// The connection it went into: with that it is lost.
    let connection: Int
    /// Whether it has outlived that once.
    var isLate = false

    static func frame(_ message: Message) -> [UInt8] {
        let (header, payload) = message.encoded()
        return header + payload
    }

    /// The frames of a stream.
    static func stream(
        _ kind: MessageKind, run: RunID, incarnation: UInt64, step: UInt64, shards: ShardRange?, content: [UInt8],
        framing: Framing
    ) -> [[UInt8]] {
        StreamFrames(
            kind, run: run, incarnation: incarnation, step: step, shards: shards, total: content.count, framing: framing
        ).map { header in
            let payload = Array(content[Int(header.offset)..<Int(header.offset) + Int(header.length)])
            return unsafe header.encoded(with: payload.span.bytes) + payload
        }
    }

    /// Reads a frame as the real shells do.
    static func decode(
        _ frame: [UInt8], receiver: Role, framing: Framing
    ) -> Result<Message, DecodeError> {
        Result { () throws(DecodeError) in
            let bytes = unsafe frame.span.bytes
            let border = min(Header.byteCount, bytes.byteCount)
            return try Message(
                header: bytes.extracting(first: border), payload: bytes.extracting(droppingFirst: border),
                receiver: receiver, framing: framing)
        }
    }

    static func payload(_ frame: [UInt8]) -> ArraySlice<UInt8> { frame.dropFirst(Header.byteCount) }
}
