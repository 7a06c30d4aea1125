internal import CKernels
internal import Synchronization
public import TensorCore

/// The global norm of gradients, and the factor that brings it down to a bound.
package enum GradientNorm {
    /// √Σ(g / divisor)² over gradients, one a parameter; each is summed in fixed lanes in double precision, and the sums in order.
    package static func norm(of gradients: [GradientBlock], divisor: Float, team: ThreadTeam = .alone) -> Float {
        @Sendable func sumOfSquares(_ gradient: GradientBlock) -> Double {
            var sums = ck_squares()
            unsafe gradient.forEachPiece(of: updateBlock, skipsZeros: true) { _, piece in
                guard let base = piece.baseAddress else { return }
                unsafe ck_squares_add(&sums, piece.count, divisor, base)
            }
            return unsafe ck_squares_end(&sums)
        }
        guard team.threads > 1 else { return Float(gradients.reduce(0.0) { $0 + sumOfSquares($1) }.squareRoot()) }
        let sums = Mutex(Array(repeating: 0.0, count: gradients.count))
        team.run(gradients.map(\.count)) { index in
            let sum = sumOfSquares(gradients[index])
            sums.withLock { $0[index] = sum }
        }
        return Float(sums.withLock { $0 }.reduce(0, +).squareRoot())
    }

    /// bound / (norm + 1e-6), at most 1, as PyTorch's `clip_grad_norm_`; a norm that is NaN makes it NaN.
    package static func clipFactor(norm: Float, bound: Float) -> Float {
        let factor = bound / (norm + 1e-6)
        return factor > 1 ? 1 : factor
    }
}

/// Scales the gradients of all parameters so that their global norm is at most `maxNorm`, as PyTorch's `clip_grad_norm_`.
///
/// - Parameter normType: p of the p-norm over all elements; infinity for the largest magnitude.
/// - Returns: the norm before.
@discardableResult
public func clipGradientNorm(_ parameters: [Parameter], maxNorm: Float, normType: Float = 2) -> Float {
    let gradients = parameters.compactMap(\.gradient)
    let norm: Float
    if normType == 2 {
        norm = Float(gradients.reduce(0.0) { unsafe $0 + ck_sum_of_squares($1.count, 1, $1.base) }.squareRoot())
    } else {
        let each = gradients.map { VectorNorm(normType).of($0.values) }
        norm = VectorNorm(normType).of(each)
    }
    let factor = GradientNorm.clipFactor(norm: norm, bound: maxNorm)
    if factor != 1 {
        for parameter in parameters {
            unsafe parameter.changeGradient { elements in
                guard let base = elements.baseAddress else { return }
                unsafe ck_scale(elements.count, factor, base, base)
            }
        }
    }
    return norm
}

/// Brings every element of every gradient into -clipValue...clipValue, as PyTorch's `clip_grad_value_`.
public func clipGradientValue(_ parameters: [Parameter], clipValue: Float) {
    require(clipValue >= 0, "clipGradientValue: a bound of \(clipValue); expected 0 or a positive number")
    for parameter in parameters {
        unsafe parameter.changeGradient { elements in
            for index in elements.indices {
                let value = unsafe elements[index]
                // A NaN stays one.
                if value > clipValue { unsafe elements[index] = clipValue }
                if value < -clipValue { unsafe elements[index] = -clipValue }
            }
        }
    }
}
