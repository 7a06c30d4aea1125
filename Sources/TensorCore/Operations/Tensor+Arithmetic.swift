internal import CKernels

extension Tensor {
    /// Elementwise sum; `b` may be a vector that is added to every row (the last axis of `a`).
    public static func + (a: Tensor, b: Tensor) -> Tensor {
        let rows = broadcastRows(a, b, "+")
        let result = copied(a)
        for row in 0..<rows { unsafe ck_add(b.count, b.base, result.base + row * b.count) }
        return recorded("+", inputs: [a, b], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.send(dy, to: a.origin)
            pass.send(sumOfRows(dy, rows: rows, shape: b.shape), to: b.origin)
        }[0]
    }

    /// Elementwise difference of tensors of one shape.
    public static func - (a: Tensor, b: Tensor) -> Tensor { a + b * -1 }

    /// Elementwise product of tensors of one shape.
    public static func * (a: Tensor, b: Tensor) -> Tensor {
        requireSameShape(a, b, "*")
        let result = product(a, b)
        return recorded("*", inputs: [a, b], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.send(product(dy, b), to: a.origin)
            pass.send(product(dy, a), to: b.origin)
        }[0]
    }

    /// Every element times a number.
    public static func * (a: Tensor, factor: Float) -> Tensor {
        let result = scaled(a, by: factor)
        return recorded("*", inputs: [a], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.send(scaled(dy, by: factor), to: a.origin)
        }[0]
    }

    /// The sum of all elements, taken in fixed lanes in double precision and rounded once.
    public func sum() -> Tensor {
        let result = Tensor(Float(unsafe ck_sum(count, base)))
        return Tensor.recorded("sum", inputs: [self], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.send(Tensor.filled(dy.item, shape: shape), to: origin)
        }[0]
    }

    static func filled(_ value: Float, shape: [Int]) -> Tensor {
        let result = Tensor(shape: shape, storage: Storage(count: shape.reduce(1, *)))
        unsafe result.base.update(repeating: value, count: result.count)
        return result
    }

    static func copied(_ x: Tensor) -> Tensor {
        let result = Tensor(shape: x.shape, storage: Storage(count: x.count))
        unsafe result.base.update(from: x.base, count: x.count)
        return result
    }

    static func scaled(_ x: Tensor, by factor: Float) -> Tensor {
        let result = Tensor(shape: x.shape, storage: Storage(count: x.count))
        unsafe ck_scale(x.count, factor, x.base, result.base)
        return result
    }

    static func product(_ a: Tensor, _ b: Tensor) -> Tensor {
        let result = Tensor(shape: a.shape, storage: Storage(count: a.count))
        unsafe ck_multiply(a.count, a.base, b.base, result.base)
        return result
    }

    static func requireSameShape(_ a: Tensor, _ b: Tensor, _ operation: String) {
        require(a.shape == b.shape, "\(operation): shapes \(a.shape) and \(b.shape) differ")
    }

    /// How many rows of `b`'s shape `a` consists of.
    private static func broadcastRows(_ a: Tensor, _ b: Tensor, _ operation: String) -> Int {
        if a.shape == b.shape { return 1 }
        require(
            b.shape.count == 1 && a.shape.last == b.shape[0],
            "\(operation): shapes \(a.shape) and \(b.shape) differ, and the second is not one row of the first")
        return b.count == 0 ? 0 : a.count / b.count
    }

    /// The rows of `x` added up in order.
    private static func sumOfRows(_ x: Tensor, rows: Int, shape: [Int]) -> Tensor {
        let result = Tensor(shape: shape, storage: Storage(count: shape.reduce(1, *)))
        unsafe ck_column_sums(CK_FROM_ZERO, rows, result.count, x.base, .plain(rows, stride: result.count), result.base)
        return result
    }
}
