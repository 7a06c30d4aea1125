internal import CKernels

extension Tensor {
    /// One GRU layer over all time steps.
    ///
    /// r, z = σ(W x + b + W h + b), n = tanh(W x + b + r·(W h + b)), h ← (1 − z)·n + z·h, as PyTorch's `GRU`.
    ///
    /// - Parameters:
    ///   - input: `[T, B, I]`.
    ///   - initialHidden: `[B, H]`; nil is zero.
    /// - Returns: `output` `[T, B, H]`; `hidden` after the last step, `[B, H]`.
    package static func gruLayer(
        _ input: Tensor, initialHidden: Tensor?, weights: RecurrentWeights
    ) -> (output: Tensor, hidden: Tensor) {
        let size = RecurrentGeometry("gru", input: input, weights: weights, gatesPerUnit: 3, states: [initialHidden])
        let hiddens = size.states(startingFrom: initialHidden)
        // The reset gate multiplies the hidden side alone, so the two sides stay apart.
        let inputGates = Storage(count: size.steps * size.gateSize)
        let hiddenGates = Storage(count: size.steps * size.gateSize)
        size.projectInput(input, weights, bias: weights.biasInputHidden?.storage, into: inputGates)
        let recurrent = weights.hiddenHidden.packedForward
        let bias = weights.biasHiddenHidden?.storage
        let scratch = productScratch(depth: size.hidden)
        for time in 0..<size.steps {
            let (state, next) = (time * size.stateSize, (time + 1) * size.stateSize)
            let stepGates = time * size.gateSize
            unsafe ck_gemm(
                bias == nil ? CK_FROM_ZERO : CK_FROM_BIAS, size.batch, size.gates, size.hidden, hiddens.base + state,
                size.hidden, .plain(size.hidden, stride: 1), recurrent.base, bias?.base, hiddenGates.base + stepGates,
                size.gates, scratch.base)
            unsafe ck_gru_forward(
                size.batch, size.hidden, inputGates.base + stepGates, hiddenGates.base + stepGates,
                hiddens.base + state, size.hidden, hiddens.base + next, size.hidden)
        }

        let results = recorded(
            "gru", inputs: [input, initialHidden], uses: weights.all, results: [size.output(hiddens), size.last(hiddens)]
        ) { pass, cotangents in
            let zeros = Storage(zeros: size.stateSize)
            let hiddenGradient = size.writable(cotangents[1])
            let back = weights.hiddenHidden.packedBackward
            let scratch = productScratch(depth: size.gates)
            for time in (0..<size.steps).reversed() {
                // The gradients take the place of the gates.
                let stepGates = time * size.gateSize
                unsafe ck_gru_backward(
                    size.batch, size.hidden, inputGates.base + stepGates, hiddenGates.base + stepGates,
                    hiddens.base + time * size.stateSize, size.hidden, size.above(cotangents[0], zeros: zeros, time),
                    size.hidden, hiddenGradient.base, hiddenGradient.base, inputGates.base + stepGates,
                    hiddenGates.base + stepGates)
                if time == 0 && initialHidden?.origin == nil { break }
                unsafe ck_gemm(
                    CK_FROM_C, size.batch, size.hidden, size.gates, hiddenGates.base + stepGates, size.gates,
                    .plain(size.gates, stride: 1), back.base, nil, hiddenGradient.base, size.hidden, scratch.base)
            }
            size.accumulateWeights(
                pass, weights, input: input, states: hiddens, fromInput: inputGates, fromHidden: hiddenGates)
            pass.send(size.inputGradient(inputGates, weights), to: input.origin)
            pass.send(Tensor(shape: [size.batch, size.hidden], storage: hiddenGradient), to: initialHidden?.origin)
        }
        return (results[0], results[1])
    }
}
