internal import CKernels

/// A checksum over the bits of floats, at the speed of memory and the same on every processor.
///
/// It tells bits that differ by accident, not by intent.
package struct FloatChecksum {
    /// Floats that every piece but the last is a multiple of.
    package static let piece = Int(CK_CHECKSUM_PIECE)

    /// Of no floats.
    package static let empty = FloatChecksum().value

    private var state = ck_checksum()

    package init() { unsafe ck_checksum_begin(&state) }

    /// Takes the floats at `base` in, which follow those of the call before.
    package mutating func absorb(_ base: UnsafePointer<Float>, count: Int) {
        unsafe ck_checksum_add(&state, count, base)
    }

    package var value: UInt64 {
        var state = state
        return unsafe ck_checksum_end(&state)
    }

    package static func of(_ storage: Storage, count: Int) -> UInt64 {
        require(count <= storage.count, "FloatChecksum: \(count) floats of a block of \(storage.count)")
        var checksum = FloatChecksum()
        unsafe checksum.absorb(storage.base, count: count)
        return checksum.value
    }

    /// Brings one more number into a checksum, in this order.
    package static func mix(_ checksum: UInt64, _ number: UInt64) -> UInt64 {
        let mixed = (checksum ^ number) &* 0x9E37_79B1_85EB_CA87
        return mixed ^ (mixed >> 29)
    }
}
