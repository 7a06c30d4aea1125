internal import TensorCore

/// Checksums of what an update read and what it wrote, one a parameter, taken while both are in the cache.
package struct UpdateTrace: Sendable {
    /// Of the gradients as they came, before they are divided and clipped.
    package let gradients: [UInt64]
    /// Of the parameters after the update.
    package let parameters: [UInt64]
}

/// Floats of a parameter that are updated at a time: with gradient and averages they stay in the second-level cache.
let updateBlock = 128 * FloatChecksum.piece
