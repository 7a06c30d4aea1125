internal import CKernels

extension Tensor {
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
            unsafe pass.accumulateWeight(
                weight, steps: rows / Swift.max(batch, 1), batch: batch, outputs: dy.base, inputs: base)
            if let bias {
                unsafe pass.accumulateBias(bias, steps: rows / Swift.max(batch, 1), batch: batch, outputs: dy.base)
            }
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
