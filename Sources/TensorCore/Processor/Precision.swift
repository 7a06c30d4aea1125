internal import CKernels

/// What the factors of a matrix product are rounded to before they are multiplied.
///
/// Products are summed in single precision either way, and everything else, parameters and activations among it, is single precision.
/// Each has a fixed order of its own, and its own bits, the same on every processor.
public enum Precision: String, Sendable, Codable, CaseIterable {
    /// Single precision: nothing is rounded.
    case fp32
    /// The upper half of a single-precision number: 8 bits of exponent, 8 of significand. About twice as fast where the processor has
    /// AVX512-BF16.
    case bf16

    var kernel: ck_precision { self == .bf16 ? CK_BF16 : CK_FP32 }
}

extension Storage {
    /// Room for the packed form of a `depth` by `width` right-hand side.
    static func packed(_ precision: Precision, depth: Int, width: Int) -> Storage {
        Storage(count: ck_packed_size(precision.kernel, depth, width))
    }
}
