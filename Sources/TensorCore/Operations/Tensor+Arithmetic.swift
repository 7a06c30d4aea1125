internal import CKernels

// Shapes that differ meet by NumPy's rule: aligned at the last axis, an axis of size 1 stretches.
extension Tensor {
    /// Elementwise sum.
    public static func + (a: Tensor, b: Tensor) -> Tensor {
        if b.shape.count == 1, a.shape.last == b.shape[0], a.shape.count > 1 { return addedToRows(a, b) }
        let (x, y) = broadcast(a, b, "+")
        let result = copied(x)
        unsafe ck_add(result.count, y.base, result.base)
        return recording("+", x, y, result, byFirst: { $0 }, bySecond: { $0 })
    }

    /// Elementwise difference.
    public static func - (a: Tensor, b: Tensor) -> Tensor {
        let (x, y) = broadcast(a, b, "-")
        return recording("-", x, y, mapped(x, y) { $0 - $1 }, byFirst: { $0 }, bySecond: { scaled($0, by: -1) })
    }

    /// Elementwise product.
    public static func * (a: Tensor, b: Tensor) -> Tensor {
        let (x, y) = broadcast(a, b, "*")
        return recording("*", x, y, product(x, y), byFirst: { product($0, y) }, bySecond: { product($0, x) })
    }

    /// Elementwise quotient.
    public static func / (a: Tensor, b: Tensor) -> Tensor {
        let (x, y) = broadcast(a, b, "/")
        return recording(
            "/", x, y, mapped(x, y) { $0 / $1 }, byFirst: { mapped($0, y) { $0 / $1 } },
            bySecond: { mapped($0, x, y) { -$0 * ($1 / $2 / $2) } })
    }

    /// A vector `[H]` added to every row of `[…, H]`.
    private static func addedToRows(_ a: Tensor, _ b: Tensor) -> Tensor {
        let result = copied(a)
        let rows = b.count == 0 ? 0 : a.count / b.count
        for row in 0..<rows { unsafe ck_add(b.count, b.base, result.base + row * b.count) }
        let leading = Array(repeating: 1, count: a.shape.count - 1)
        return recording(
            "+", a, b, result, byFirst: { $0 }, bySecond: { $0.chained(to: leading + b.shape).viewed(as: b.shape) })
    }
}

// MARK: With a number

extension Tensor {
    /// Every element with its sign turned.
    public static prefix func - (a: Tensor) -> Tensor { a * -1 }

    /// Every element plus a number.
    public static func + (a: Tensor, number: Float) -> Tensor {
        a.recording("+", mapped(a) { $0 + number }) { $0 }
    }

    /// Every element minus a number.
    public static func - (a: Tensor, number: Float) -> Tensor {
        a.recording("-", mapped(a) { $0 - number }) { $0 }
    }

    /// Every element times a number.
    public static func * (a: Tensor, factor: Float) -> Tensor {
        a.recording("*", scaled(a, by: factor)) { scaled($0, by: factor) }
    }

    /// Every element over a number.
    public static func / (a: Tensor, divisor: Float) -> Tensor {
        a.recording("/", mapped(a) { $0 / divisor }) { mapped($0) { $0 / divisor } }
    }

    /// A number plus every element.
    public static func + (number: Float, a: Tensor) -> Tensor { a + number }

    /// A number minus every element.
    public static func - (number: Float, a: Tensor) -> Tensor {
        a.recording("-", mapped(a) { number - $0 }) { scaled($0, by: -1) }
    }

    /// A number times every element.
    public static func * (factor: Float, a: Tensor) -> Tensor { a * factor }

    /// A number over every element.
    public static func / (number: Float, a: Tensor) -> Tensor {
        a.recording("/", mapped(a) { number / $0 }) { mapped($0, a) { -$0 * (number / $1 / $1) } }
    }
}
