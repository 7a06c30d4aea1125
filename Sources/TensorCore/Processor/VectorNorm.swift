internal import CKernels

/// The p-norm of some numbers: their p-th powers added up in order in double precision, or for p = 2 in fixed lanes.
package struct VectorNorm {
    private let p: Float

    /// - Parameter p: infinity for the largest magnitude.
    package init(_ p: Float) {
        require(p > 0, "norm: type \(p); expected a positive number")
        self.p = p
    }

    package func of(_ x: [Float]) -> Float { unsafe x.withUnsafeBufferPointer { unsafe of($0) } }

    package func of(_ x: UnsafeBufferPointer<Float>) -> Float {
        guard let base = x.baseAddress, !x.isEmpty else { return 0 }
        if p == 2 { return Float(unsafe ck_sum_of_squares(x.count, 1, base).squareRoot()) }
        if p.isInfinite {
            return unsafe x.reduce(0) { $1.isNaN || $0.isNaN ? .nan : max($0, $1.magnitude) }
        }
        let sum = unsafe x.reduce(0.0) { sum, value in
            let magnitude = value.magnitude
            return sum + Double(p == 1 || magnitude == 0 ? magnitude : Elementary.exp(p * Elementary.log(magnitude)))
        }
        return p == 1 || sum == 0 ? Float(sum) : Elementary.exp(Elementary.log(Float(sum)) / p)
    }
}
