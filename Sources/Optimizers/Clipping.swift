internal import CKernels
public import TensorCore

/// The global norm of gradients, and the factor that brings it down to a bound.
package enum GradientNorm {
    /// √Σ(g / divisor)² over blocks of `gradients`, one a parameter; each block is summed in fixed lanes in double precision, and the blocks in order.
    package static func norm(of gradients: Storage, blocks: [Range<Int>], divisor: Float) -> Float {
        var sum = 0.0
        for block in blocks {
            sum += unsafe ck_sum_of_squares(block.count, divisor, gradients.base + block.lowerBound)
        }
        return Float(sum.squareRoot())
    }

    /// bound / (norm + 1e-6), at most 1, as PyTorch's `clip_grad_norm_`.
    package static func clipFactor(norm: Float, bound: Float) -> Float { min(1, bound / (norm + 1e-6)) }
}

/// Scales the gradients of all parameters so that their global norm is at most `maxNorm`, as PyTorch's `clip_grad_norm_`.
///
/// - Returns: the norm before.
@discardableResult
public func clipGradientNorm(_ parameters: [Parameter], maxNorm: Float) -> Float {
    let gradients = parameters.compactMap(\.gradient)
    let sum = gradients.reduce(0.0) { unsafe $0 + ck_sum_of_squares($1.count, 1, $1.base) }
    let norm = Float(sum.squareRoot())
    let factor = GradientNorm.clipFactor(norm: norm, bound: maxNorm)
    if factor < 1 {
        for gradient in gradients { unsafe ck_scale(gradient.count, factor, gradient.base, gradient.base) }
    }
    return norm
}

/// Brings every element of every gradient into -clipValue...clipValue, as PyTorch's `clip_grad_value_`.
public func clipGradientValue(_ parameters: [Parameter], clipValue: Float) {
    require(clipValue >= 0, "clipGradientValue: a bound of \(clipValue); expected 0 or a positive number")
    for gradient in parameters.compactMap(\.gradient) {
        for index in 0..<gradient.count {
            let value = unsafe gradient.base[index]
            // A NaN stays one.
            if value > clipValue { unsafe gradient.base[index] = clipValue }
            if value < -clipValue { unsafe gradient.base[index] = -clipValue }
        }
    }
}
