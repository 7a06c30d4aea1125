internal import CKernels

/// What an Elman RNN applies to its pre-activation.
public enum Nonlinearity: String, Sendable, Codable, CaseIterable {
    /// Hyperbolic tangent.
    case tanh
    /// max(x, 0).
    case relu

    var kernel: ck_activation { self == .tanh ? CK_TANH : CK_RELU }
}

extension Tensor {
    /// One Elman RNN layer over all time steps, in one direction: h ← tanh(W x + b + W h + b), or relu, as PyTorch's `RNN`.
    ///
    /// - Parameters:
    ///   - input: `[T, B, I]`, or `[N, I]` laid out by `packed`.
    ///   - initialHidden: `[B, H]`; nil is zero.
    ///   - isReversed: from each sequence's last step to its first.
    /// - Returns: `output` `[T, B, H]` or `[N, H]`; `hidden` after each sequence's last step, `[B, H]`.
    package static func rnnLayer(
        _ input: Tensor, packed: StepLayout? = nil, initialHidden: Tensor?, weights: RecurrentWeights,
        nonlinearity: Nonlinearity,
        isReversed: Bool = false
    ) -> (output: Tensor, hidden: Tensor) {
        let size = RecurrentGeometry(
            "rnn", input: input, packed: packed, weights: weights, gatesPerUnit: 1, isReversed: isReversed,
            states: [(initialHidden, weights.hiddenSize)])
        let hiddens = size.states(width: size.hidden, initial: initialHidden)
        let gates = size.block(width: size.gates)
        size.projectInput(input, weights, bias: weights.summedBias, into: gates)
        let recurrent = weights.hiddenHidden.packed(.forward)
        let scratch = productScratch(depth: size.hidden)
        for step in size.order {
            hiddens.enter(step)
            let stepGates = unsafe gates.base + size.offset(step, width: size.gates)
            unsafe ck_gemm(
                weights.precision.kernel, CK_FROM_C, size.count(step), size.gates, size.hidden, hiddens.before(step),
                size.hidden,
                .plain(size.hidden, stride: 1), recurrent.base, nil, stepGates, size.gates, scratch.base)
            unsafe ck_rnn_forward(
                nonlinearity.kernel, size.count(step), size.hidden, stepGates, hiddens.after(step), size.hidden)
        }

        let results = recorded(
            "rnn", inputs: [input, initialHidden], uses: weights.all,
            results: [hiddens.output(shape: size.outputShape), hiddens.last]
        ) { pass, cotangents in
            let zeros = size.zeros(width: size.hidden)
            let hiddenGradient = size.writable(cotangents[1], width: size.hidden)
            let back = weights.hiddenHidden.packed(.backward)
            let scratch = productScratch(depth: size.gates)
            let order = size.order
            for step in order.reversed() {
                let stepGates = unsafe gates.base + size.offset(step, width: size.gates)
                unsafe ck_rnn_backward(
                    nonlinearity.kernel, size.count(step), size.hidden, hiddens.after(step), size.hidden,
                    size.above(cotangents[0], zeros: zeros, step), size.hidden, hiddenGradient.base, stepGates)
                if step == order[0] && initialHidden?.origin == nil { break }
                unsafe ck_gemm(
                    weights.precision.kernel, CK_FROM_ZERO, size.count(step), size.hidden, size.gates, stepGates,
                    size.gates,
                    .plain(size.gates, stride: 1), back.base, nil, hiddenGradient.base, size.hidden, scratch.base)
            }
            size.accumulateWeights(pass, weights, input: input, states: hiddens, fromInput: gates, fromHidden: gates)
            pass.send(size.inputGradient(gates, weights), to: input.origin)
            pass.send(
                Tensor(shape: [size.layout.batch, size.hidden], storage: hiddenGradient), to: initialHidden?.origin)
        }
        return (results[0], results[1])
    }
}
