internal import Coordination

/// One message as it arrives: as it is, and with length and checksum put right, so that what is behind them is tried too.
enum FrameFuzzing {
    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        for receiver in [Role.coordinator, .worker] {
            try check(bytes, receiver)
            try check(sealed(bytes), receiver)
        }
    }

    /// What is read is written as it was, to the byte.
    private static func check(_ bytes: [UInt8], _ receiver: Role) throws(FuzzFinding) {
        guard let message = decode(bytes, receiver) else { return }
        if message.header.kind.isStream {
            let payload = Array(bytes[Header.byteCount...])
            let header = unsafe message.header.encoded(with: payload.span.bytes)
            try FuzzFinding.require(header + payload == bytes, "\(message.header) is written in another way")
        } else {
            let (header, payload) = message.encoded()
            try FuzzFinding.require(header + payload == bytes, "\(message) is written in another way")
        }
    }

    static func decode(_ bytes: [UInt8], _ receiver: Role) -> Message? {
        let border = min(Header.byteCount, bytes.count)
        let all = unsafe bytes.span.bytes
        return try? Message(
            header: all.extracting(first: border), payload: all.extracting(droppingFirst: border), receiver: receiver)
    }

    /// The bytes with the length and the checksum that belong to them; what is too short for a header stays as it is.
    static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= Header.byteCount else { return bytes }
        var bytes = bytes
        put(UInt64(bytes.count - Header.byteCount), 4, at: 64, in: &bytes)
        put(0, 8, at: 72, in: &bytes)
        let unsealed = bytes
        let all = unsafe unsealed.span.bytes
        let seed = Header.checksum(all.extracting(first: Header.byteCount))
        put(Header.checksum(all.extracting(droppingFirst: Header.byteCount), seed: seed), 8, at: 72, in: &bytes)
        return bytes
    }

    static func put(_ value: UInt64, _ count: Int, at offset: Int, in bytes: inout [UInt8]) {
        for place in 0..<count { bytes[offset + place] = UInt8(truncatingIfNeeded: value >> UInt64(8 * place)) }
    }
}
