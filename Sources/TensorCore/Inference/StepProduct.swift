internal import CKernels

/// x · Wᵀ for the same few rows of x again and again: packed once, and nothing allocated after that.
///
/// It keeps the weight of the moment in which it was made.
struct StepProduct {
    private let precision: Precision
    private let rows: Int
    private let outputs: Int
    private let inputs: Int
    private let packed: Storage
    private let bias: Storage?
    private let scratch: Storage

    /// - Parameters:
    ///   - weight: `[N, K]`.
    ///   - bias: `[N]`, where each chain begins; nil is zero.
    init(_ weight: Parameter, bias: Storage?, rows: Int) {
        self.rows = rows
        (outputs, inputs) = (weight.shape[0], weight.shape[1])
        packed = weight.packed(.forward)
        self.bias = bias
        precision = weight.precision
        scratch = productScratch(depth: inputs)
    }

    /// y ← b + x · Wᵀ, `[rows, N]` from `[rows, K]`.
    func callAsFunction(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
        unsafe run(bias == nil ? CK_FROM_ZERO : CK_FROM_BIAS, x, y)
    }

    /// The chains in y go on over x · Wᵀ.
    func goOn(_ x: UnsafePointer<Float>, from y: UnsafeMutablePointer<Float>) { unsafe run(CK_FROM_C, x, y) }

    private func run(_ start: ck_start, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        if rows > 1 {
            unsafe ck_gemm(
                precision.kernel, start, rows, outputs, inputs, x, inputs, .plain(inputs, stride: 1), packed.base,
                bias?.base, y, outputs, scratch.base)
        } else {
            unsafe ck_gemv(
                precision.kernel, start, outputs, inputs, x, packed.base, bias?.base, y, scratch.base)
        }
    }
}
