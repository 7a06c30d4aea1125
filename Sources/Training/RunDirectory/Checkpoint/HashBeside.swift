internal import Dispatch

/// A SHA-256 that is computed on a thread of its own, a piece at a time, while the same piece is written.
///
/// A file's hash goes through its bytes in order and is as long a work as to write them to memory that the system brings to the disk:
/// one beside the other they take half the time.
final class HashBeside: @unchecked Sendable {
    private var sha = SHA256Hex()
    private let queue = DispatchQueue(label: "checkpoint hash")
    private let isAbsorbed = DispatchSemaphore(value: 0)

    /// A shorter one is not worth the waking of a thread.
    private static let least = 1 << 16

    /// Bytes that stay where they are until they are absorbed.
    @safe
    private struct Piece: @unchecked Sendable {
        let bytes: UnsafeRawBufferPointer
    }

    /// Takes a piece into the hash and returns when `work` is done beside that.
    func absorb(_ bytes: RawSpan, beside work: () throws(RunError) -> Void) throws(RunError) {
        guard bytes.byteCount >= Self.least else {
            sha.absorb(bytes)
            return try work()
        }
        try unsafe bytes.withUnsafeBytes { buffer throws(RunError) in
            let piece = unsafe Piece(bytes: buffer)
            queue.async { [self] in
                unsafe sha.absorb(piece.bytes.bytes)
                isAbsorbed.signal()
            }
            defer { isAbsorbed.wait() }
            try work()
        }
    }

    func hexadecimal() -> String { sha.hexadecimal() }
}
