internal import Coordination
internal import Messaging
internal import TensorCore

// Between the protocol's messages and libzmq's: each is one frame, the header and behind it the payload.
//
// One frame and not two: libzmq 4.3.4 aborts the process when a socket closes without linger after its thread has taken the first
// frame of a message and not yet the second, and the peer goes at that moment (`clean_pipes`, session_base.cpp).
extension Coordination.Message {
    /// Reads what arrived at `receiver`.
    static func decode(
        _ arrived: Messaging.Message, receiver: Role
    ) -> Result<(message: Coordination.Message, payload: ArrivedPayload), DecodeError> {
        guard arrived.frames.count == 1 else {
            return .failure(DecodeError(.frames, wanted: 1, got: UInt64(arrived.frames.count)))
        }
        let payload = ArrivedPayload(frame: arrived.frames[0])
        return Result { () throws(DecodeError) in
            try arrived.frames[0].withBytes { bytes throws(DecodeError) in
                let border = min(Header.byteCount, bytes.byteCount)
                let message = try Coordination.Message(
                    header: bytes.extracting(first: border), payload: bytes.extracting(droppingFirst: border),
                    receiver: receiver)
                return (message, payload)
            }
        }
    }

    /// The frame to send.
    var frame: Payload {
        let (header, payload) = encoded()
        return .bytes(header + payload)
    }
}

/// What is behind the header in a frame that was read, in the memory that it arrived in.
struct ArrivedPayload {
    let frame: Frame

    var byteCount: Int { frame.byteCount - Header.byteCount }

    func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        frame.withBytes { body($0.extracting(droppingFirst: Header.byteCount)) }
    }

    /// A copy of the bytes.
    var bytes: [UInt8] { withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } } }
}

extension Storage {
    /// Copies a payload to `byteOffset`; false when it does not fit.
    func take(_ payload: ArrivedPayload, at byteOffset: Int) -> Bool {
        guard byteOffset >= 0, payload.byteCount <= 4 * count - byteOffset else { return false }
        payload.withBytes { bytes in
            unsafe bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(
                    start: UnsafeMutableRawPointer(base) + byteOffset, count: source.count
                ).copyMemory(from: source)
            }
        }
        return true
    }
}
