internal import Synchronization

/// A block's values as they are at one moment, read once, first to last, while the block's owner goes on.
///
/// Nothing is copied as long as the block stays as it is. The owner says when it is about to write to it, and what nobody has read by then
/// is copied.
package final class FrozenBlock: Sendable {
    private struct Rest {
        /// Holds what has not been read, from `next` on; nil when there is nothing left.
        var block: Storage?
        var next = 0
        var isCopy = false
    }

    package let count: Int
    private let rest: Mutex<Rest>

    /// Floats that are read at a time: a piece stays in a cache between whoever hashes and whoever writes it, and is long beside a
    /// thread's waking.
    private static let pieceSize = 1 << 18

    /// - Parameter block: must not be written to before `thaw()`.
    package init(_ block: Storage) {
        count = block.count
        rest = Mutex(Rest(block: block.count > 0 ? block : nil))
    }

    /// Copies what has not been read; the block may be written to afterwards.
    package func thaw() {
        rest.withLock { rest in
            guard !rest.isCopy, let block = rest.block else { return }
            rest = Rest(block: block.view(rest.next..<block.count).copy(), isCopy: true)
        }
    }

    /// Hands over all values in pieces. The owner waits at most while a piece is copied, never for `body`.
    package func read<Failure: Error>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        let piece = Storage(count: min(Self.pieceSize, count))
        var done = 0
        while done < count {
            let length = take(into: piece)
            require(length > 0, "FrozenBlock: \(count) floats are read a second time; they can be read once")
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(piece.floats)[..<(4 * length)])
            try body(unsafe RawSpan(_unsafeBytes: bytes))
            done += length
        }
    }

    /// - Returns: how many floats the piece is; 0 when all have been read.
    private func take(into piece: Storage) -> Int {
        rest.withLock { rest in
            guard let block = rest.block else { return 0 }
            let length = min(piece.count, block.count - rest.next)
            unsafe piece.base.update(from: block.base + rest.next, count: length)
            rest.next += length
            if rest.next == block.count { rest.block = nil }
            return length
        }
    }
}
