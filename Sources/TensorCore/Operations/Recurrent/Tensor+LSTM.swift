internal import CKernels

extension Tensor {
    /// One LSTM layer over all time steps.
    ///
    /// i, f, o = σ(W x + b + W h + b), g = tanh(…), c ← f·c + i·g, h ← o·tanh(c), as PyTorch's `LSTM`.
    ///
    /// - Parameters:
    ///   - input: `[T, B, I]`.
    ///   - initialHidden, initialCell: `[B, H]`; nil is zero.
    /// - Returns: `output` `[T, B, H]`; `hidden` and `cell` after the last step, `[B, H]`.
    package static func lstmLayer(
        _ input: Tensor, initialHidden: Tensor?, initialCell: Tensor?, weights: RecurrentWeights
    ) -> (output: Tensor, hidden: Tensor, cell: Tensor) {
        let size = RecurrentGeometry(
            "lstm", input: input, weights: weights, gatesPerUnit: 4, states: [initialHidden, initialCell])
        let hiddens = size.states(startingFrom: initialHidden)
        let cells = size.states(startingFrom: initialCell)
        let gates = Storage(count: size.steps * size.gateSize)
        let squashedCells = Storage(count: size.steps * size.stateSize)
        size.projectInput(input, weights, bias: weights.summedBias, into: gates)
        let recurrent = weights.hiddenHidden.packedForward
        let scratch = productScratch(depth: size.hidden)
        for time in 0..<size.steps {
            let (state, next) = (time * size.stateSize, (time + 1) * size.stateSize)
            let stepGates = unsafe gates.base + time * size.gateSize
            unsafe ck_gemm(
                CK_FROM_C, size.batch, size.gates, size.hidden, hiddens.base + state, size.hidden,
                .plain(size.hidden, stride: 1), recurrent.base, nil, stepGates, size.gates, scratch.base)
            unsafe ck_lstm_forward(
                size.batch, size.hidden, stepGates, cells.base + state, cells.base + next,
                squashedCells.base + state, hiddens.base + next, size.hidden)
        }

        let results = recorded(
            "lstm", inputs: [input, initialHidden, initialCell], uses: weights.all,
            results: [size.output(hiddens), size.last(hiddens), size.last(cells)]
        ) { pass, cotangents in
            let zeros = Storage(zeros: size.stateSize)
            let cellGradient = size.writable(cotangents[2])
            // dL/dh of the step before, from the step at hand.
            let hiddenGradient = size.writable(cotangents[1])
            let back = weights.hiddenHidden.packedBackward
            let scratch = productScratch(depth: size.gates)
            for time in (0..<size.steps).reversed() {
                let state = time * size.stateSize
                // The gradients take the place of the gates.
                let stepGates = unsafe gates.base + time * size.gateSize
                unsafe ck_lstm_backward(
                    size.batch, size.hidden, stepGates, cells.base + state, squashedCells.base + state,
                    size.above(cotangents[0], zeros: zeros, time), size.hidden, hiddenGradient.base,
                    cellGradient.base, stepGates)
                if time == 0 && initialHidden?.origin == nil { break }
                unsafe ck_gemm(
                    CK_FROM_ZERO, size.batch, size.hidden, size.gates, stepGates, size.gates,
                    .plain(size.gates, stride: 1), back.base, nil, hiddenGradient.base, size.hidden, scratch.base)
            }
            size.accumulateWeights(
                pass, weights, input: input, states: hiddens, fromInput: gates, fromHidden: gates)
            pass.send(size.inputGradient(gates, weights), to: input.origin)
            pass.send(Tensor(shape: [size.batch, size.hidden], storage: hiddenGradient), to: initialHidden?.origin)
            pass.send(Tensor(shape: [size.batch, size.hidden], storage: cellGradient), to: initialCell?.origin)
        }
        return (results[0], results[1], results[2])
    }
}
