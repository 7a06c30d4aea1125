internal import CKernels

/// What an Elman RNN applies to its pre-activation.
public enum Nonlinearity: String, Sendable, Codable, CaseIterable {
    case tanh, relu

    var kernel: ck_activation { self == .tanh ? CK_TANH : CK_RELU }
}

extension Tensor {
    /// One Elman RNN layer over all time steps: h ← tanh(W x + b + W h + b), or relu, as PyTorch's `RNN`.
    ///
    /// - Parameters:
    ///   - input: `[T, B, I]`.
    ///   - initialHidden: `[B, H]`; nil is zero.
    /// - Returns: `output` `[T, B, H]`; `hidden` after the last step, `[B, H]`.
    package static func rnnLayer(
        _ input: Tensor, initialHidden: Tensor?, weights: RecurrentWeights, nonlinearity: Nonlinearity
    ) -> (output: Tensor, hidden: Tensor) {
        let size = RecurrentGeometry("rnn", input: input, weights: weights, gatesPerUnit: 1, states: [initialHidden])
        let hiddens = size.states(startingFrom: initialHidden)
        let gates = Storage(count: size.steps * size.gateSize)
        size.projectInput(input, weights, bias: weights.summedBias, into: gates)
        let recurrent = weights.hiddenHidden.packedForward
        let scratch = productScratch(depth: size.hidden)
        for time in 0..<size.steps {
            let (state, next) = (time * size.stateSize, (time + 1) * size.stateSize)
            let stepGates = unsafe gates.base + state
            unsafe ck_gemm(
                CK_FROM_C, size.batch, size.gates, size.hidden, hiddens.base + state, size.hidden,
                .plain(size.hidden, stride: 1), recurrent.base, nil, stepGates, size.gates, scratch.base)
            unsafe ck_rnn_forward(
                nonlinearity.kernel, size.batch, size.hidden, stepGates, hiddens.base + next, size.hidden)
        }

        let results = recorded(
            "rnn", inputs: [input, initialHidden], uses: weights.all, results: [size.output(hiddens), size.last(hiddens)]
        ) { pass, cotangents in
            let zeros = Storage(zeros: size.stateSize)
            let hiddenGradient = size.writable(cotangents[1])
            let back = weights.hiddenHidden.packedBackward
            let scratch = productScratch(depth: size.gates)
            for time in (0..<size.steps).reversed() {
                let stepGates = unsafe gates.base + time * size.gateSize
                unsafe ck_rnn_backward(
                    nonlinearity.kernel, size.batch, size.hidden, hiddens.base + (time + 1) * size.stateSize, size.hidden,
                    size.above(cotangents[0], zeros: zeros, time), size.hidden, hiddenGradient.base, stepGates)
                if time == 0 && initialHidden?.origin == nil { break }
                unsafe ck_gemm(
                    CK_FROM_ZERO, size.batch, size.hidden, size.gates, stepGates, size.gates,
                    .plain(size.gates, stride: 1), back.base, nil, hiddenGradient.base, size.hidden, scratch.base)
            }
            size.accumulateWeights(
                pass, weights, input: input, states: hiddens, fromInput: gates, fromHidden: gates)
            pass.send(size.inputGradient(gates, weights), to: input.origin)
            pass.send(Tensor(shape: [size.batch, size.hidden], storage: hiddenGradient), to: initialHidden?.origin)
        }
        return (results[0], results[1])
    }
}
