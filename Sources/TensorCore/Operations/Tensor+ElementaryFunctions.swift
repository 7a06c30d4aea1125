internal import CKernels

extension Tensor {
    /// x² of each element.
    public func squared() -> Tensor { elementwise("squared", { $0 * $0 }, derivative: { 2 * $0 }) }

    /// √x of each element, correctly rounded.
    public func sqrt() -> Tensor {
        let y = Tensor.mapped(self) { $0.squareRoot() }
        return recording("sqrt", y) { dy in Tensor.mapped(dy, y) { $0 / (2 * $1) } }
    }

    /// eˣ of each element.
    public func exp() -> Tensor {
        let y = Tensor.unfilled(shape)
        unsafe ck_exp(count, base, y.base)
        return recording("exp", y) { Tensor.product($0, y) }
    }

    /// The natural logarithm of each element.
    public func log() -> Tensor {
        let y = Tensor.unfilled(shape)
        unsafe ck_log(count, base, y.base)
        return recording("log", y) { [input = detached] dy in Tensor.mapped(dy, input) { $0 / $1 } }
    }

    /// |x| of each element; the gradient at 0 is 0.
    public func abs() -> Tensor {
        elementwise("abs", { $0.magnitude }, derivative: { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 == 0 ? 0 : $0 })
    }

    /// xⁿ of each element for a whole n, multiplied out in double precision and rounded once.
    public func pow(_ exponent: Int) -> Tensor {
        elementwise(
            "pow", { Float(wholePower(Double($0), exponent)) },
            derivative: { exponent == 0 ? 0 : Float(Double(exponent) * wholePower(Double($0), exponent - 1)) })
    }

    /// Each element brought into `min...max`; the gradient passes where nothing was changed, the bounds included.
    public func clamp(min lower: Float = -.infinity, max upper: Float = .infinity) -> Tensor {
        elementwise(
            "clamp", { x in x > upper ? upper : x < lower ? Swift.min(lower, upper) : x },
            derivative: { $0 >= lower && $0 <= upper ? 1 : 0 })
    }

    /// The larger of each two elements, NaN where one of them is; equal ones get half the gradient each.
    public static func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
        let (x, y) = broadcast(a, b, "maximum")
        return recording(
            "maximum", x, y, mapped(x, y) { $0 >= $1 || $0.isNaN ? $0 : $1 },
            byFirst: { mapped($0, x, y) { $1 < $2 ? 0 : $1 == $2 ? $0 / 2 : $0 } },
            bySecond: { mapped($0, x, y) { $1 > $2 ? 0 : $1 == $2 ? $0 / 2 : $0 } })
    }

    /// The smaller of each two elements, NaN where one of them is; equal ones get half the gradient each.
    public static func minimum(_ a: Tensor, _ b: Tensor) -> Tensor {
        let (x, y) = broadcast(a, b, "minimum")
        return recording(
            "minimum", x, y, mapped(x, y) { $0 <= $1 || $0.isNaN ? $0 : $1 },
            byFirst: { mapped($0, x, y) { $1 > $2 ? 0 : $1 == $2 ? $0 / 2 : $0 } },
            bySecond: { mapped($0, x, y) { $1 < $2 ? 0 : $1 == $2 ? $0 / 2 : $0 } })
    }

    /// ln(1 + eˣ) of each element, without overflow and exact to a few ulp where it is small.
    public func softplus() -> Tensor {
        // max(x, 0) + ln(1 + e), e = exp(−|x|). Where 1 + e rounds, ln(u) · e / (u − 1) takes the rounding out again.
        let e = Tensor.mapped(self) { -$0.magnitude }
        unsafe ck_exp(count, e.base, e.base)
        let logarithm = Tensor.mapped(e) { 1 + $0 }
        unsafe ck_log(count, logarithm.base, logarithm.base)
        let y = Tensor.mapped(self, e, logarithm) { x, e, logarithm in
            let u = 1 + e
            return (x > 0 ? x : x < 0 ? 0 : x) + (u == 1 ? e : logarithm * (e / (u - 1)))
        }
        return recording("softplus", y) { [input = detached] dy in
            let share = Tensor.unfilled(input.shape)
            unsafe ck_sigmoid(input.count, input.base, share.base)
            return Tensor.product(dy, share)
        }
    }
}

/// xⁿ by squaring.
private func wholePower(_ x: Double, _ exponent: Int) -> Double {
    var (result, square, left) = (1.0, x, exponent.magnitude)
    while left > 0 {
        if left & 1 == 1 { result *= square }
        square *= square
        left >>= 1
    }
    return exponent < 0 ? 1 / result : result
}
