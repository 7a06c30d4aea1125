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
            weight.precision.kernel, bias == nil ? CK_FROM_ZERO : CK_FROM_BIAS, rows, outputs, inputs, base, inputs,
            .plain(inputs, stride: 1),
            weight.packed(.forward).base, bias?.storage.base, result.base, outputs, scratch.base)
        let uses = [weight] + (bias.map { [$0] } ?? [])
        return Tensor.recorded("linear", inputs: [self], uses: uses, results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            let batch = shape.count >= 2 ? shape[shape.count - 2] : 1
            let steps = rows / Swift.max(batch, 1)
            unsafe pass.accumulateWeights(
                [WeightUse(weight, inputs: base)], steps: steps, batch: batch, outputs: dy.base)
            unsafe pass.accumulateBiases(bias.map { [$0] } ?? [], steps: steps, batch: batch, outputs: dy.base)
            guard origin != nil else { return }
            let dx = Tensor(shape: shape, storage: Storage(count: count))
            let scratch = productScratch(depth: outputs)
            unsafe ck_gemm(
                weight.precision.kernel, CK_FROM_ZERO, rows, inputs, outputs, dy.base, outputs,
                .plain(outputs, stride: 1),
                weight.packed(.backward).base, nil, dx.base, inputs, scratch.base)
            pass.send(dx, to: origin)
        }[0]
    }
}

/// A weight `[N, K]` beside the x, `[T, B, K]`, that it was multiplied with.
@safe struct WeightUse {
    let weight: Parameter
    private let inputs: UnsafePointer<Float>

    init(_ weight: Parameter, inputs: UnsafePointer<Float>) {
        self.weight = weight
        unsafe self.inputs = unsafe inputs
    }

    /// K.
    var width: Int { weight.shape[1] }

    /// Some rows of all time steps of x as the right-hand side of dyᵀ · x: T·rows deep, K wide.
    fileprivate func packed(_ rows: Range<Int>, steps: Int, batch: Int) -> Storage {
        let depth = steps * rows.count
        let packed = Storage.packed(weight.precision, depth: depth, width: width)
        unsafe ck_pack(
            weight.precision.kernel, depth, width, inputs + rows.lowerBound * width,
            .steps(of: rows, batch: batch, width: width), 1, packed.base
        )
        return packed
    }
}

extension BackwardPass {
    /// dW `[N, K]` += Σ over time and rows of dyᵀ · x, shard by shard, in (time, row) order, for weights that share dy.
    ///
    /// - Parameter outputs: dy, `[T, B, N]`; brought into the product's order once for all weights.
    func accumulateWeights(_ uses: [WeightUse], steps: Int, batch: Int, outputs: UnsafePointer<Float>) {
        let (n, precision) = (uses[0].weight.shape[0], uses[0].weight.precision)
        accumulate(uses.map(\.weight), batch: batch) { rows, destinations in
            let operands = uses.map { $0.packed(rows, steps: steps, batch: batch) }
            let products = unsafe uses.indices.map { index in
                unsafe ck_product(
                    start: destinations[index].start, n: uses[index].width, packed_b: operands[index].base, bias: nil,
                    c: destinations[index].base, ldc: uses[index].width)
            }
            let depth = steps * rows.count
            let scratch = productScratch(depth: depth)
            unsafe ck_gemm_several(
                precision.kernel, n, depth, outputs + rows.lowerBound * n, 1, .steps(of: rows, batch: batch, width: n),
                products.count,
                products, scratch.base)
            withExtendedLifetime(operands) {}
        }
    }

    /// db `[N]` += Σ over time and rows of dy, shard by shard, for biases that share dy: the sums are made once.
    func accumulateBiases(_ biases: [Parameter], steps: Int, batch: Int, outputs: UnsafePointer<Float>) {
        guard let n = biases.first?.count else { return }
        accumulate(biases, batch: batch) { rows, destinations in
            let sums = Storage(count: n)
            unsafe ck_column_sums(
                CK_FROM_ZERO, steps * rows.count, n, outputs + rows.lowerBound * n,
                .steps(of: rows, batch: batch, width: n), sums.base)
            for destination in destinations { destination.take(sums, count: n) }
        }
    }
}
