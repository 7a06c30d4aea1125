internal import CKernels

extension Tensor {
    /// tanh of each element.
    public func tanh() -> Tensor {
        unsafe activated("tanh", { unsafe ck_tanh($0, $1, $2) }, backward: { unsafe ck_tanh_backward($0, $1, $2, $3) })
    }

    /// 1 / (1 + e⁻ˣ) of each element.
    public func sigmoid() -> Tensor {
        unsafe activated(
            "sigmoid", { unsafe ck_sigmoid($0, $1, $2) }, backward: { unsafe ck_sigmoid_backward($0, $1, $2, $3) })
    }

    /// max(x, 0) of each element.
    public func relu() -> Tensor {
        unsafe activated("relu", { unsafe ck_relu($0, $1, $2) }, backward: { unsafe ck_relu_backward($0, $1, $2, $3) })
    }

    /// Functions whose derivative follows from their result.
    private func activated(
        _ name: String,
        _ forward: (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void,
        backward: @escaping (Int, UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    ) -> Tensor {
        let y = Tensor(shape: shape, storage: Storage(count: count))
        unsafe forward(count, base, y.base)
        return Tensor.recorded(name, inputs: [self], results: [y]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            let dx = Tensor(shape: shape, storage: Storage(count: count))
            unsafe backward(count, y.base, dy.base, dx.base)
            pass.send(dx, to: origin)
        }[0]
    }
}
