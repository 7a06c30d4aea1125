internal import Coordination
internal import Messaging
internal import TensorCore

// Between the protocol's messages and libzmq's: each is one frame, the header and behind it the payload.
//
// One frame and not two: libzmq 4.3.4 aborts the process when a socket closes without linger after its thread has taken the first
// frame of a message and not yet the second, and the peer goes at that moment (`clean_pipes`, session_base.cpp).
extension Coordination.Message {
    /// Reads what arrived at `receiver`.
    ///
    /// - Parameter memory: what sender and receiver share.
    static func decode(
        _ arrived: Messaging.Message, receiver: Role, memory: SharedMapping?
    ) -> Result<(message: Coordination.Message, payload: ArrivedPayload), DecodeError> {
        guard arrived.frames.count == 1 else {
            return .failure(DecodeError(.frames, wanted: 1, got: UInt64(arrived.frames.count)))
        }
        let frame = arrived.frames[0]
        return Result { () throws(DecodeError) in
            try frame.withBytes { bytes throws(DecodeError) in
                let border = min(Header.byteCount, bytes.byteCount)
                let header = bytes.extracting(first: border)
                var payload = ArrivedPayload.inFrame(frame)
                if let range = try Header.sharedPlace(in: bytes) {
                    guard let memory, memory.holds(range.lowerBound, range.count) else {
                        throw DecodeError(
                            .place, wanted: UInt64(memory?.byteCount ?? 0), got: UInt64(range.upperBound))
                    }
                    payload = .inMemory(memory, range)
                }
                let message = try payload.withBytes { content throws(DecodeError) in
                    try Coordination.Message(header: header, payload: content, receiver: receiver)
                }
                guard case .inFrame = payload, message.header.isShared else { return (message, payload) }
                throw DecodeError(.place, wanted: 0, got: 1)
            }
        }
    }

    /// How long the payload says it is, before anything is verified.
    static func payloadBytes(_ arrived: Messaging.Message) -> Int {
        arrived.frames.reduce(0) { sum, frame in
            let shared = frame.withBytes { bytes in (try? Header.sharedPlace(in: bytes)) ?? nil }
            return sum + (shared?.count ?? frame.byteCount)
        }
    }

    /// The frame to send.
    var frame: Payload {
        let (header, payload) = encoded()
        return .bytes(header + payload)
    }
}

/// What belongs to the header in a frame that was read, in the memory that it arrived in.
enum ArrivedPayload: Sendable {
    /// Behind the header.
    case inFrame(Frame)
    case inMemory(SharedMapping, Range<Int>)

    var byteCount: Int {
        switch self {
        case .inFrame(let frame): frame.byteCount - Header.byteCount
        case .inMemory(_, let range): range.count
        }
    }

    func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result {
        switch self {
        case .inFrame(let frame):
            try frame.withBytes { bytes throws(Failure) in
                try body(bytes.extracting(droppingFirst: min(Header.byteCount, bytes.byteCount)))
            }
        case .inMemory(let memory, let range): try memory.withBytes(range, body)
        }
    }

    /// The whole stream of `total` bytes where it lies, when this is its piece at `offset` and it lies in shared memory.
    func stream(pieceAt offset: Int, total: Int) -> Storage? {
        guard case .inMemory(let memory, let range) = self else { return nil }
        let (place, count) = (range.lowerBound - offset, (total + 3) / 4)
        guard memory.holds(place, 4 * count), place % SharedMapping.alignment == 0 else { return nil }
        return memory.block(at: place, count: count)
    }

    /// A copy of the bytes.
    var bytes: [UInt8] { withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } } }
}

extension Storage {
    /// Copies a payload to `byteOffset`, unless it lies there already; false when it does not fit.
    func take(_ payload: ArrivedPayload, at byteOffset: Int) -> Bool {
        guard byteOffset >= 0, payload.byteCount <= 4 * count - byteOffset else { return false }
        payload.withBytes { bytes in
            unsafe bytes.withUnsafeBytes { source in
                let place = unsafe UnsafeMutableRawPointer(base) + byteOffset
                guard let start = source.baseAddress, unsafe start != UnsafeRawPointer(place) else { return }
                unsafe UnsafeMutableRawBufferPointer(start: place, count: source.count).copyMemory(from: source)
            }
        }
        return true
    }
}
