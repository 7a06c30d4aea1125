internal import CKernels

extension Tensor {
    /// One LSTM layer over all time steps, in one direction.
    ///
    /// i, f, o = σ(W x + b + W h + b), g = tanh(…), c ← f·c + i·g, h ← o·tanh(c), as PyTorch's `LSTM`; with a projection
    /// h ← W_hr (o·tanh(c)) (Sak et al., 2014).
    ///
    /// - Parameters:
    ///   - input: `[T, B, I]`, or `[N, I]` laid out by `packed`.
    ///   - initialHidden: `[B, P]`, initialCell: `[B, H]`; nil is zero.
    ///   - isReversed: from each sequence's last step to its first.
    /// - Returns: `output` `[T, B, P]` or `[N, P]`; `hidden` `[B, P]` and `cell` `[B, H]` after each sequence's last step.
    package static func lstmLayer(
        _ input: Tensor, packed: StepLayout? = nil, initialHidden: Tensor?, initialCell: Tensor?,
        weights: RecurrentWeights,
        isReversed: Bool = false
    ) -> (output: Tensor, hidden: Tensor, cell: Tensor) {
        let size = RecurrentGeometry(
            "lstm", input: input, packed: packed, weights: weights, gatesPerUnit: 4, isReversed: isReversed,
            states: [(initialHidden, weights.outputSize), (initialCell, weights.hiddenSize)])
        let hiddens = size.states(width: size.outputs, initial: initialHidden)
        let cells = size.states(width: size.hidden, initial: initialCell)
        let gates = size.block(width: size.gates)
        let squashedCells = size.block(width: size.hidden)
        // o·tanh(c), where it is not the output itself.
        let unprojected = weights.projection.map { _ in size.block(width: size.hidden) }
        size.projectInput(input, weights, bias: weights.summedBias, into: gates)
        let recurrent = weights.hiddenHidden.packed(.forward)
        let scratch = productScratch(depth: Swift.max(size.outputs, size.hidden))
        for step in size.order {
            hiddens.enter(step)
            cells.enter(step)
            let stepGates = unsafe gates.base + size.offset(step, width: size.gates)
            let place = size.offset(step, width: size.hidden)
            unsafe ck_gemm(
                weights.precision.kernel, CK_FROM_C, size.count(step), size.gates, size.outputs, hiddens.before(step),
                size.outputs,
                .plain(size.outputs, stride: 1), recurrent.base, nil, stepGates, size.gates, scratch.base)
            unsafe ck_lstm_forward(
                size.count(step), size.hidden, stepGates, cells.before(step), cells.after(step),
                squashedCells.base + place,
                unprojected.map { unsafe $0.base + place } ?? hiddens.after(step), size.hidden)
            if let unprojected, let projection = weights.projection {
                unsafe ck_gemm(
                    weights.precision.kernel, CK_FROM_ZERO, size.count(step), size.outputs, size.hidden,
                    unprojected.base + place, size.hidden,
                    .plain(size.hidden, stride: 1), projection.packed(.forward).base, nil, hiddens.after(step),
                    size.outputs,
                    scratch.base)
            }
        }

        let results = recorded(
            "lstm", inputs: [input, initialHidden, initialCell], uses: weights.all,
            results: [hiddens.output(shape: size.outputShape), hiddens.last, cells.last]
        ) { pass, cotangents in
            let zeros = size.zeros(width: size.outputs)
            let cellGradient = size.writable(cotangents[2], width: size.hidden)
            // dL/dh of the step before, from the step at hand.
            let hiddenGradient = size.writable(cotangents[1], width: size.outputs)
            let projected = ProjectionGradient(size, weights)
            let back = weights.hiddenHidden.packed(.backward)
            let scratch = productScratch(depth: size.gates)
            let order = size.order
            for step in order.reversed() {
                // The gradients take the place of the gates.
                let stepGates = unsafe gates.base + size.offset(step, width: size.gates)
                let above = unsafe size.above(cotangents[0], zeros: zeros, step)
                let unprojectedGradient = unsafe projected?.step(step, above: above, next: hiddenGradient.base)
                unsafe ck_lstm_backward(
                    size.count(step), size.hidden, stepGates, cells.before(step),
                    squashedCells.base + size.offset(step, width: size.hidden), unprojectedGradient ?? above,
                    size.hidden,
                    unprojectedGradient == nil ? hiddenGradient.base : nil, cellGradient.base, stepGates)
                // Nobody asks for what comes before the first step of all sequences.
                if step == order[0] && initialHidden?.origin == nil { break }
                unsafe ck_gemm(
                    weights.precision.kernel, CK_FROM_ZERO, size.count(step), size.outputs, size.gates, stepGates,
                    size.gates,
                    .plain(size.gates, stride: 1), back.base, nil, hiddenGradient.base, size.outputs, scratch.base)
            }
            if let unprojected { projected?.accumulate(pass, unprojected) }
            size.accumulateWeights(pass, weights, input: input, states: hiddens, fromInput: gates, fromHidden: gates)
            pass.send(size.inputGradient(gates, weights), to: input.origin)
            pass.send(
                Tensor(shape: [size.layout.batch, size.outputs], storage: hiddenGradient), to: initialHidden?.origin)
            pass.send(Tensor(shape: [size.layout.batch, size.hidden], storage: cellGradient), to: initialCell?.origin)
        }
        return (results[0], results[1], results[2])
    }
}

/// The way back through an LSTM's projection h = W_hr m, m = o·tanh(c).
private struct ProjectionGradient {
    private let size: RecurrentGeometry
    private let projection: Parameter
    /// dL/dh of every step, `[N, P]`.
    private let outputs: Storage
    /// dL/dm of the step at hand, `[B, H]`.
    private let unprojected: Storage
    private let scratch: Storage

    init?(_ size: RecurrentGeometry, _ weights: RecurrentWeights) {
        guard let projection = weights.projection else { return nil }
        self.size = size
        self.projection = projection
        outputs = size.block(width: size.outputs)
        unprojected = Storage(count: size.layout.batch * size.hidden)
        scratch = productScratch(depth: size.outputs)
    }

    /// dL/dm of one step from dL/dh, which is `above` + `next`.
    func step(_ step: Int, above: UnsafePointer<Float>, next: UnsafePointer<Float>) -> UnsafePointer<Float> {
        let count = size.count(step)
        let whole = unsafe outputs.base + size.offset(step, width: size.outputs)
        unsafe whole.update(from: above, count: count * size.outputs)
        unsafe ck_add(count * size.outputs, next, whole)
        unsafe ck_gemm(
            projection.precision.kernel, CK_FROM_ZERO, count, size.hidden, size.outputs, whole, size.outputs,
            .plain(size.outputs, stride: 1),
            projection.packed(.backward).base, nil, unprojected.base, size.hidden, scratch.base)
        return unsafe UnsafePointer(unprojected.base)
    }

    /// dW_hr = Σ dhᵀ · m.
    func accumulate(_ pass: BackwardPass, _ unprojected: Storage) {
        unsafe size.accumulate(pass, projection, outputs: outputs.base, inputs: unprojected.base)
    }
}
