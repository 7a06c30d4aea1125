internal import Coordination
internal import Messaging
internal import TensorCore

// Between the protocol's messages and libzmq's frames: each message is a header frame and a payload frame.
extension Coordination.Message {
    /// Reads what arrived at `receiver`.
    static func decode(
        _ arrived: Messaging.Message, receiver: Role
    ) -> Result<(message: Coordination.Message, payload: Frame), DecodeError> {
        guard arrived.frames.count == 2 else {
            return .failure(DecodeError(.frames, wanted: 2, got: UInt64(arrived.frames.count)))
        }
        let payload = arrived.frames[1]
        return Result { () throws(DecodeError) in
            try arrived.frames[0].withBytes { header throws(DecodeError) in
                try payload.withBytes { bytes throws(DecodeError) in
                    (try Coordination.Message(header: header, payload: bytes, receiver: receiver), payload)
                }
            }
        }
    }

    var payloads: [Payload] {
        let (header, payload) = encoded()
        return [.bytes(header), .bytes(payload)]
    }
}

/// A stream on its way out: its frames' headers and the block that they are cut from.
struct OutgoingStream {
    let frames: StreamFrames
    let block: SharedBytes
    private(set) var next = 0

    init(frames: StreamFrames, block: SharedBytes) {
        self.frames = frames
        self.block = block
    }

    var isDone: Bool { next == frames.count }

    /// The frame that is to go now.
    var payloads: [Payload] {
        let header = frames[next]
        let range = Int(header.offset)..<Int(header.offset) + Int(header.length)
        let sealed = block.withBytes { bytes in header.encoded(with: bytes.extracting(range)) }
        return [.bytes(sealed), .shared(block, range)]
    }

    mutating func advance() { next += 1 }
}

extension SharedBytes {
    /// A block of floats, sent from where it lies.
    static func lending(_ storage: Storage) -> SharedBytes {
        unsafe SharedBytes(borrowing: UnsafeRawBufferPointer(storage.floats), of: storage)
    }

    static func copying(_ bytes: [UInt8]) -> SharedBytes {
        let block = SharedBytes(byteCount: bytes.count)
        block.withMutableBytes { destination in
            unsafe destination.withUnsafeMutableBytes { unsafe $0.copyBytes(from: bytes) }
        }
        return block
    }
}

extension Storage {
    /// Copies a frame to `byteOffset`; false when it does not fit.
    func take(_ frame: Frame, at byteOffset: Int) -> Bool {
        guard byteOffset >= 0, frame.byteCount <= 4 * count - byteOffset else { return false }
        frame.withBytes { bytes in
            unsafe bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(
                    start: UnsafeMutableRawPointer(base) + byteOffset, count: source.count
                ).copyMemory(from: source)
            }
        }
        return true
    }
}
