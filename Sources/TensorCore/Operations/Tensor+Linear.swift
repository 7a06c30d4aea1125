internal import CKernels

/// Scratch for products over k up to `depth`; products on different threads never share it.
func productScratch(depth: Int) -> Storage { Storage(count: ck_gemm_scratch_size(depth)) }

extension Tensor {
    /// a · bᵀ of `[…, K]` and `[N, K]`: `[…, N]`.
    public static func matmulTransposed(_ a: Tensor, _ b: Tensor) -> Tensor {
        require(
            b.shape.count == 2 && a.shape.last == b.shape[1],
            "matmulTransposed: shapes \(a.shape) and \(b.shape) do not end in the same size")
        let (n, k) = (b.shape[0], b.shape[1])
        let m = k == 0 ? a.shape.dropLast().reduce(1, *) : a.count / k
        let result = Tensor(shape: a.shape.dropLast() + [n], storage: Storage(count: m * n))
        let packed = Storage(count: ck_packed_size(k, n))
        unsafe ck_pack(k, n, b.base, .plain(k, stride: 1), k, packed.base)
        let scratch = productScratch(depth: k)
        unsafe ck_gemm(
            CK_FROM_ZERO, m, n, k, a.base, k, .plain(k, stride: 1), packed.base, nil, result.base, n, scratch.base)
        return recorded("matmulTransposed", inputs: [a, b], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            // da = dy · b
            pass.send(product(m, k, n, dy, rowStride: n, depthStride: 1, b, depthStride: k, shape: a.shape), to: a.origin)
            // db = dyᵀ · a
            pass.send(product(n, k, m, dy, rowStride: 1, depthStride: n, a, depthStride: k, shape: b.shape), to: b.origin)
        }[0]
    }

    /// An m × n product over k of strided operands; the right-hand side has unit column stride.
    private static func product(
        _ m: Int, _ n: Int, _ k: Int, _ a: Tensor, rowStride: Int, depthStride: Int, _ b: Tensor, depthStride bStride: Int,
        shape: [Int]
    ) -> Tensor {
        let result = Tensor(shape: shape, storage: Storage(count: m * n))
        let packed = Storage(count: ck_packed_size(k, n))
        unsafe ck_pack(k, n, b.base, .plain(k, stride: bStride), 1, packed.base)
        let scratch = productScratch(depth: k)
        unsafe ck_gemm(
            CK_FROM_ZERO, m, n, k, a.base, rowStride, .plain(k, stride: depthStride), packed.base, nil,
            result.base, n, scratch.base)
        return result
    }

    /// x · Wᵀ + b, as PyTorch's `linear`: the chain of each output starts from its bias.
    ///
    /// - Parameters:
    ///   - weight: `[O, I]`.
    ///   - bias: `[O]`.
    /// - Returns: `[…, O]` for self `[…, I]`.
    package func linear(weight: Parameter, bias: Parameter?) -> Tensor {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        require(shape.last == inputs, "linear: input \(shape) and weight \(weight.shape) do not end in the same size")
        require(bias == nil || bias?.shape == [outputs], "linear: bias \(bias?.shape ?? []) for weight \(weight.shape)")
        let rows = count / inputs
        let result = Tensor(shape: shape.dropLast() + [outputs], storage: Storage(count: rows * outputs))
        let scratch = productScratch(depth: inputs)
        unsafe ck_gemm(
            bias == nil ? CK_FROM_ZERO : CK_FROM_BIAS, rows, outputs, inputs, base, inputs, .plain(inputs, stride: 1),
            weight.packedForward.base, bias?.storage.base, result.base, outputs, scratch.base)
        let uses = [weight] + (bias.map { [$0] } ?? [])
        return Tensor.recorded("linear", inputs: [self], uses: uses, results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            let batch = shape.count >= 2 ? shape[shape.count - 2] : 1
            unsafe pass.accumulateWeight(weight, steps: rows / max(batch, 1), batch: batch, outputs: dy.base, inputs: base)
            if let bias { unsafe pass.accumulateBias(bias, steps: rows / max(batch, 1), batch: batch, outputs: dy.base) }
            guard origin != nil else { return }
            let dx = Tensor(shape: shape, storage: Storage(count: count))
            let scratch = productScratch(depth: outputs)
            unsafe ck_gemm(
                CK_FROM_ZERO, rows, inputs, outputs, dy.base, outputs, .plain(outputs, stride: 1),
                weight.packedBackward.base, nil, dx.base, inputs, scratch.base)
            pass.send(dx, to: origin)
        }[0]
    }
}

extension BackwardPass {
    /// dW `[N, K]` += Σ over time and rows of dyᵀ · x, shard by shard, in (time, row) order.
    ///
    /// - Parameters:
    ///   - outputs: dy, `[T, B, N]`.
    ///   - inputs: x, `[T, B, K]`.
    func accumulateWeight(
        _ weight: Parameter, steps: Int, batch: Int, outputs: UnsafePointer<Float>, inputs: UnsafePointer<Float>
    ) {
        let (n, k) = (weight.shape[0], weight.shape[1])
        accumulate(weight, batch: batch) { rows, destination in
            let depth = steps * rows.count
            let packed = Storage(count: ck_packed_size(depth, k))
            unsafe ck_pack(
                depth, k, inputs + rows.lowerBound * k, .steps(of: rows, batch: batch, width: k), 1, packed.base)
            let scratch = productScratch(depth: depth)
            unsafe ck_gemm(
                destination.start, n, k, depth, outputs + rows.lowerBound * n, 1,
                .steps(of: rows, batch: batch, width: n), packed.base, nil, destination.base, k, scratch.base)
        }
    }

    /// db `[N]` += Σ over time and rows of dy, shard by shard.
    func accumulateBias(_ bias: Parameter, steps: Int, batch: Int, outputs: UnsafePointer<Float>) {
        let n = bias.count
        accumulate(bias, batch: batch) { rows, destination in
            unsafe ck_column_sums(
                destination.start, steps * rows.count, n, outputs + rows.lowerBound * n,
                .steps(of: rows, batch: batch, width: n), destination.base)
        }
    }
}
