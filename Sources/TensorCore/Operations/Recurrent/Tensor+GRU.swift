internal import CKernels

extension Tensor {
    /// One GRU layer over all time steps, in one direction.
    ///
    /// r, z = σ(W x + b + W h + b), n = tanh(W x + b + r·(W h + b)), h ← (1 − z)·n + z·h, as PyTorch's `GRU`.
    ///
    /// - Parameters:
    ///   - input: `[T, B, I]`, or `[N, I]` laid out by `packed`.
    ///   - initialHidden: `[B, H]`; nil is zero.
    ///   - isReversed: from each sequence's last step to its first.
    /// - Returns: `output` `[T, B, H]` or `[N, H]`; `hidden` after each sequence's last step, `[B, H]`.
    package static func gruLayer(
        _ input: Tensor, packed: StepLayout? = nil, initialHidden: Tensor?, weights: RecurrentWeights,
        isReversed: Bool = false
    ) -> (output: Tensor, hidden: Tensor) {
        let size = RecurrentGeometry(
            "gru", input: input, packed: packed, weights: weights, gatesPerUnit: 3, isReversed: isReversed,
            states: [(initialHidden, weights.hiddenSize)])
        let hiddens = size.states(width: size.hidden, initial: initialHidden)
        // The reset gate multiplies the hidden side alone, so the two sides stay apart.
        let inputGates = size.block(width: size.gates)
        let hiddenGates = size.block(width: size.gates)
        size.projectInput(input, weights, bias: weights.biasInputHidden?.storage, into: inputGates)
        let recurrent = weights.hiddenHidden.packed(.forward)
        let bias = weights.biasHiddenHidden?.storage
        let scratch = productScratch(depth: size.hidden)
        for step in size.order {
            hiddens.enter(step)
            let stepGates = size.offset(step, width: size.gates)
            unsafe ck_gemm(
                weights.precision.kernel, bias == nil ? CK_FROM_ZERO : CK_FROM_BIAS, size.count(step), size.gates,
                size.hidden,
                hiddens.before(step),
                size.hidden, .plain(size.hidden, stride: 1), recurrent.base, bias?.base, hiddenGates.base + stepGates,
                size.gates, scratch.base)
            unsafe ck_gru_forward(
                size.count(step), size.hidden, inputGates.base + stepGates, hiddenGates.base + stepGates,
                hiddens.before(step), size.hidden, hiddens.after(step), size.hidden)
        }

        let results = recorded(
            "gru", inputs: [input, initialHidden], uses: weights.all,
            results: [hiddens.output(shape: size.outputShape), hiddens.last]
        ) { pass, cotangents in
            let zeros = size.zeros(width: size.hidden)
            let hiddenGradient = size.writable(cotangents[1], width: size.hidden)
            let back = weights.hiddenHidden.packed(.backward)
            let scratch = productScratch(depth: size.gates)
            let order = size.order
            for step in order.reversed() {
                // The gradients take the place of the gates.
                let stepGates = size.offset(step, width: size.gates)
                unsafe ck_gru_backward(
                    size.count(step), size.hidden, inputGates.base + stepGates, hiddenGates.base + stepGates,
                    hiddens.before(step), size.hidden, size.above(cotangents[0], zeros: zeros, step), size.hidden,
                    hiddenGradient.base, hiddenGradient.base, inputGates.base + stepGates, hiddenGates.base + stepGates)
                if step == order[0] && initialHidden?.origin == nil { break }
                unsafe ck_gemm(
                    weights.precision.kernel, CK_FROM_C, size.count(step), size.hidden, size.gates,
                    hiddenGates.base + stepGates, size.gates,
                    .plain(size.gates, stride: 1), back.base, nil, hiddenGradient.base, size.hidden, scratch.base)
            }
            size.accumulateWeights(
                pass, weights, input: input, states: hiddens, fromInput: inputGates, fromHidden: hiddenGates)
            pass.send(size.inputGradient(inputGates, weights), to: input.origin)
            pass.send(
                Tensor(shape: [size.layout.batch, size.hidden], storage: hiddenGradient), to: initialHidden?.origin)
        }
        return (results[0], results[1])
    }
}
