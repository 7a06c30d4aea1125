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
        /// Copies floats of the content to a place of a block.
        case copies((_ floats: Range<Int>, _ block: Storage, _ place: Int) -> Void)
    }

    /// Room for a header, so that every piece starts on a cache line.
    private static let headerRoom = 128
    private static let stride = headerRoom + frameBytes

    /// A stream of floats, which must not change until the last frame is made.
    convenience init(_ floats: Storage, as frames: (_ byteCount: Int) -> StreamFrames) {
        self.init(.floats(floats), frames(4 * floats.count), byteCount: 4 * floats.count)
    }

    /// A stream of so many floats that are copied from where they lie when a frame is made; see `makeAll`.
    convenience init(
        count: Int, as frames: (_ byteCount: Int) -> StreamFrames,
        copying copy: @escaping (_ floats: Range<Int>, _ block: Storage, _ place: Int) -> Void
    ) {
        self.init(.copies(copy), frames(4 * count), byteCount: 4 * count)
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

    /// Makes the frames that nobody has asked for yet: the content may change afterwards.
    func makeAll() { while made < count { makeNext() } }

    private func makeNext() {
        let header = frames[made]
        let length = Int(header.length)
        let start = made * Self.stride + Self.headerRoom
        let bytes = unsafe UnsafeMutableRawBufferPointer(block.floats)
        let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + length])
        // Copied first: the checksum then reads what is in the cache.
        unsafe copy(Int(header.offset)..<Int(header.offset) + length, to: piece, at: start)
        let sealed = unsafe header.encoded(with: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(piece)))
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start - sealed.count..<start]).copyBytes(from: sealed)
        made += 1
        if made == frames.count { content = .bytes([]) }
    }

    private func copy(_ range: Range<Int>, to piece: UnsafeMutableRawBufferPointer, at start: Int) {
        switch content {
        case .floats(let floats):
            unsafe piece.copyMemory(from: .init(rebasing: UnsafeRawBufferPointer(floats.floats)[range]))
        case .bytes(let bytes):
            unsafe bytes.withUnsafeBytes { unsafe piece.copyMemory(from: .init(rebasing: $0[range])) }
        case .copies(let copy): copy(range.lowerBound / 4..<range.upperBound / 4, block, start / 4)
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
