internal import CKernels

// What the operations on single elements are made of. A loop in Swift out of + − × ÷ √ gives the same bits everywhere: each is correctly
// rounded, and the compiler fuses none of them.
extension Tensor {
    /// A tensor whose values are still to be written.
    static func unfilled(_ shape: [Int]) -> Tensor { Tensor(shape: shape, storage: Storage(count: shape.reduce(1, *))) }

    static func filled(_ value: Float, shape: [Int]) -> Tensor {
        let result = unfilled(shape)
        unsafe result.base.update(repeating: value, count: result.count)
        return result
    }

    static func copied(_ x: Tensor) -> Tensor {
        let result = unfilled(x.shape)
        unsafe result.base.update(from: x.base, count: x.count)
        return result
    }

    static func scaled(_ x: Tensor, by factor: Float) -> Tensor {
        let result = unfilled(x.shape)
        unsafe ck_scale(x.count, factor, x.base, result.base)
        return result
    }

    static func product(_ a: Tensor, _ b: Tensor) -> Tensor {
        let result = unfilled(a.shape)
        unsafe ck_multiply(a.count, a.base, b.base, result.base)
        return result
    }

    /// `body` of each element.
    @inline(__always)
    static func mapped(_ x: Tensor, _ body: (Float) -> Float) -> Tensor {
        let result = unfilled(x.shape)
        let (from, to) = unsafe (x.base, result.base)
        for index in 0..<x.count { unsafe to[index] = body(from[index]) }
        return result
    }

    /// `body` of the elements of two tensors of one shape.
    @inline(__always)
    static func mapped(_ x: Tensor, _ y: Tensor, _ body: (Float, Float) -> Float) -> Tensor {
        let result = unfilled(x.shape)
        let (first, second, to) = unsafe (x.base, y.base, result.base)
        for index in 0..<x.count { unsafe to[index] = body(first[index], second[index]) }
        return result
    }

    /// `body` of the elements of three tensors of one shape.
    @inline(__always)
    static func mapped(_ x: Tensor, _ y: Tensor, _ z: Tensor, _ body: (Float, Float, Float) -> Float) -> Tensor {
        let result = unfilled(x.shape)
        let (first, second, third, to) = unsafe (x.base, y.base, z.base, result.base)
        for index in 0..<x.count { unsafe to[index] = body(first[index], second[index], third[index]) }
        return result
    }

    /// Records `result` as an operation on this tensor; `backward` makes dL/d(this) from dL/d(result).
    func recording(_ name: String, _ result: Tensor, backward: @escaping (Tensor) -> Tensor) -> Tensor {
        Tensor.recorded(name, inputs: [self], results: [result]) { [origin] pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.send(backward(dy), to: origin)
        }[0]
    }

    /// Records `result` as an operation on two tensors.
    static func recording(
        _ name: String, _ a: Tensor, _ b: Tensor, _ result: Tensor, byFirst: @escaping (Tensor) -> Tensor,
        bySecond: @escaping (Tensor) -> Tensor
    ) -> Tensor {
        recorded(name, inputs: [a, b], results: [result]) { [first = a.origin, second = b.origin] pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.send(byFirst(dy), to: first)
            pass.send(bySecond(dy), to: second)
        }[0]
    }

    /// A function of each element out of + − × ÷ √, with its derivative at the element.
    package func elementwise(
        _ name: String, _ function: (Float) -> Float, derivative: @escaping (Float) -> Float
    ) -> Tensor {
        recording(name, Tensor.mapped(self, function)) { [input = detached] dy in
            Tensor.mapped(input, dy) { derivative($0) * $1 }
        }
    }
}
