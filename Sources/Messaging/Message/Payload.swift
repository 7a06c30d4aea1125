/// One frame to send.
package enum Payload: Sendable {
    /// Copied into the message.
    case bytes([UInt8])
    /// Sent from where it lies when it has 64 KiB or more: the range must not change until the block `isIdle`.
    case shared(SharedBytes, Range<Int>)

    /// Below this a copy costs less than the bookkeeping.
    static let smallestLent = 64 << 10

    package static func shared(_ block: SharedBytes) -> Payload { .shared(block, 0..<block.byteCount) }

    package var byteCount: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .shared(_, let range): range.count
        }
    }
}
