internal import Coordination
internal import Messaging
internal import TensorCore

/// A stream whose content lies where the receiver sees it: what is sent of each frame is its header, and where its piece lies.
///
/// Headers are made when they are first asked for, and for several receivers once. Used by one thread.
final class SharedStream: OutgoingFrames {
    private let frames: StreamFrames
    private let block: Storage
    private let place: Int
    private var made: [Payload] = []

    /// - Parameters:
    ///   - block: the content; it must not change before the last receiver has read it.
    ///   - place: its first byte in the shared mapping.
    init(_ block: Storage, at place: Int, as frames: (_ byteCount: Int) -> StreamFrames) {
        self.frames = frames(4 * block.count)
        self.block = block
        self.place = place
    }

    var count: Int { frames.count }

    subscript(index: Int) -> Payload {
        while made.count <= index { makeNext() }
        return made[index]
    }

    private func makeNext() {
        let header = frames[made.count]
        let (offset, length) = (Int(header.offset), Int(header.length))
        let piece = unsafe UnsafeRawBufferPointer(
            rebasing: UnsafeRawBufferPointer(block.floats)[offset..<offset + length])
        made.append(.bytes(unsafe header.encoded(with: RawSpan(_unsafeBytes: piece), lyingAt: place + offset)))
    }
}
