internal import Coordination
internal import Messaging
internal import TensorCore

/// A stream laid out as it is sent: each frame's header in front of its piece of the content, in one block.
///
/// A frame is made when it is first asked for, so that the first ones are on their way while the others are made; a stream that goes
/// to several workers is made once. Used by one thread.
final class FramedStream: OutgoingFrames {
    private let frames: StreamFrames
    private var content: Content
    private let block: Storage
    private let shared: SharedBytes
    private var made = 0

    private enum Content {
        case floats(Storage)
        case bytes([UInt8])
    }

    /// Room for a header, so that every piece starts on a cache line.
    private static let headerRoom = 128
    private static let stride = headerRoom + frameBytes

    /// A stream of floats, which must not change until the last frame is made.
    convenience init(_ floats: Storage, as frames: (_ byteCount: Int) -> StreamFrames) {
        self.init(.floats(floats), frames(4 * floats.count), byteCount: 4 * floats.count)
    }

    convenience init(_ bytes: [UInt8], as frames: (_ byteCount: Int) -> StreamFrames) {
        self.init(.bytes(bytes), frames(bytes.count), byteCount: bytes.count)
    }

    private init(_ content: Content, _ frames: StreamFrames, byteCount: Int) {
        self.frames = frames
        self.content = content
        block = Storage(count: (frames.count * Self.headerRoom + byteCount + 3) / 4)
        shared = unsafe SharedBytes(borrowing: UnsafeRawBufferPointer(block.floats), of: block)
    }

    var count: Int { frames.count }

    subscript(index: Int) -> Payload {
        while made <= index { makeNext() }
        let start = index * Self.stride + Self.headerRoom
        return .shared(shared, start - Header.byteCount..<start + Int(frames[index].length))
    }

    private func makeNext() {
        let header = frames[made]
        let length = Int(header.length)
        let start = made * Self.stride + Self.headerRoom
        unsafe withContent { content in
            // Copied first: the checksum then reads what is in the cache.
            let bytes = unsafe UnsafeMutableRawBufferPointer(block.floats)
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + length])
            unsafe piece.copyMemory(from: .init(rebasing: content[Int(header.offset)..<Int(header.offset) + length]))
            let sealed = unsafe header.encoded(with: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(piece)))
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start - sealed.count..<start]).copyBytes(from: sealed)
        }
        made += 1
        if made == frames.count { content = .bytes([]) }
    }

    private func withContent(_ body: (UnsafeRawBufferPointer) -> Void) {
        switch content {
        case .floats(let floats): unsafe body(UnsafeRawBufferPointer(floats.floats))
        case .bytes(let bytes): unsafe bytes.withUnsafeBytes { unsafe body($0) }
        }
    }
}

/// The frames of a stream, in order.
protocol OutgoingFrames: AnyObject {
    var count: Int { get }
    subscript(index: Int) -> Payload { get }
}

/// A stream on its way to one peer.
struct OutgoingStream {
    let stream: any OutgoingFrames
    private(set) var next = 0

    init(_ stream: any OutgoingFrames) { self.stream = stream }

    var isDone: Bool { next == stream.count }

    /// The frame that is to go now.
    var frame: Payload { stream[next] }

    mutating func advance() { next += 1 }
}
