internal import CKernels

/// Sizes and products that the forward and backward of one layer in one direction share, whatever its cell.
struct RecurrentGeometry {
    let layout: StepLayout
    /// From the last time step to the first.
    let isReversed: Bool
    let inputs: Int
    let hidden: Int
    /// P: H, or the width that an LSTM projects to.
    let outputs: Int
    let gates: Int
    private let inputShape: [Int]

    /// - Parameters:
    ///   - input: `[T, B, I]`, or `[N, I]` laid out by `packed`.
    ///   - states: initial states with their widths.
    init(
        _ operation: String, input: Tensor, packed: StepLayout?, weights: RecurrentWeights, gatesPerUnit: Int,
        isReversed: Bool,
        states: [(state: Tensor?, width: Int)]
    ) {
        if let packed {
            require(
                input.shape == [packed.rows, weights.inputSize],
                "\(operation): packed input \(input.shape) is not [\(packed.rows), \(weights.inputSize)]")
            layout = packed
        } else {
            require(
                input.shape.count == 3 && input.shape[2] == weights.inputSize,
                "\(operation): input \(input.shape) is not [T, B, \(weights.inputSize)]")
            layout = StepLayout(steps: input.shape[0], batch: input.shape[1])
        }
        self.isReversed = isReversed
        inputShape = input.shape
        inputs = weights.inputSize
        hidden = weights.hiddenSize
        outputs = weights.outputSize
        gates = weights.gateWidth
        require(
            gates == gatesPerUnit * hidden,
            "\(operation): weight \(weights.hiddenHidden.shape) is not [\(gatesPerUnit)·\(hidden), \(outputs)]")
        for (state, width) in states {
            guard let state else { continue }
            require(
                state.shape == [layout.batch, width],
                "\(operation): initial state \(state.shape) for input \(input.shape) is not [\(layout.batch), \(width)]"
            )
        }
    }

    /// Time steps in the order in which they are computed.
    var order: [Int] { isReversed ? Array((0..<layout.steps).reversed()) : Array(0..<layout.steps) }

    /// Rows of one time step.
    func count(_ step: Int) -> Int { layout.counts[step] }
    /// Where a step begins in an array of `width` floats a row.
    func offset(_ step: Int, width: Int) -> Int { layout.offsets[step] * width }

    /// The shape of the outputs: the input's, with another last axis.
    var outputShape: [Int] { inputShape.dropLast() + [outputs] }

    func block(width: Int) -> Storage { Storage(count: layout.rows * width) }

    func states(width: Int, initial: Tensor?) -> StateTrack {
        StateTrack(layout, width: width, isReversed: isReversed, initial: initial)
    }

    /// x · W_ihᵀ of all time steps, in one product.
    func projectInput(_ input: Tensor, _ weights: RecurrentWeights, bias: Storage?, into gatesOut: Storage) {
        let scratch = productScratch(depth: inputs)
        unsafe ck_gemm(
            weights.precision.kernel, bias == nil ? CK_FROM_ZERO : CK_FROM_BIAS, layout.rows, gates, inputs, input.base,
            inputs,
            .plain(inputs, stride: 1), weights.inputHidden.packed(.forward).base, bias?.base, gatesOut.base, gates,
            scratch.base)
    }

    /// dx = dgates · W_ih of all time steps, in the input's shape.
    func inputGradient(_ gateGradients: Storage, _ weights: RecurrentWeights) -> Tensor {
        let dx = Tensor(shape: inputShape, storage: block(width: inputs))
        let scratch = productScratch(depth: gates)
        unsafe ck_gemm(
            weights.precision.kernel, CK_FROM_ZERO, layout.rows, inputs, gates, gateGradients.base, gates,
            .plain(gates, stride: 1),
            weights.inputHidden.packed(.backward).base, nil, dx.base, inputs, scratch.base)
        return dx
    }

    /// Gradients of weights and biases. `fromInput` and `fromHidden` are dL/d(pre-activation) on the two sides, one array where the
    /// cell adds the sides.
    func accumulateWeights(
        _ pass: BackwardPass, _ weights: RecurrentWeights, input: Tensor, states: StateTrack, fromInput: Storage,
        fromHidden: Storage
    ) {
        let hidden = unsafe WeightUse(weights.hiddenHidden, inputs: states.allBefore)
        let inputs = unsafe WeightUse(weights.inputHidden, inputs: input.base)
        func accumulate(_ uses: [WeightUse], _ biases: [Parameter?], outputs: Storage) {
            unsafe pass.accumulateWeights(uses, steps: passSteps, batch: passBatch, outputs: outputs.base)
            unsafe pass.accumulateBiases(
                biases.compactMap { $0 }, steps: passSteps, batch: passBatch, outputs: outputs.base)
        }
        if fromInput === fromHidden {
            accumulate(
                [hidden, inputs], [weights.biasHiddenHidden, weights.biasInputHidden], outputs: fromInput)
        } else {
            accumulate([hidden], [weights.biasHiddenHidden], outputs: fromHidden)
            accumulate([inputs], [weights.biasInputHidden], outputs: fromInput)
        }
    }

    /// Adds Σ outputsᵀ · inputs over all rows to a weight's gradient.
    func accumulate(
        _ pass: BackwardPass, _ weight: Parameter, outputs: UnsafePointer<Float>, inputs: UnsafePointer<Float>
    ) {
        unsafe pass.accumulateWeights(
            [WeightUse(weight, inputs: inputs)], steps: passSteps, batch: passBatch, outputs: outputs)
    }

    // The rows of a packed batch are one stretch to a backward pass: they do not fall into shards of whole sequences.
    private var passSteps: Int { inputShape.count == 3 ? layout.steps : 1 }
    private var passBatch: Int { inputShape.count == 3 ? layout.batch : layout.rows }

    /// dL/d(output of a step), zero where nothing arrived.
    func above(_ cotangent: Tensor?, zeros: Storage, _ step: Int) -> UnsafePointer<Float> {
        unsafe UnsafePointer(cotangent.map { unsafe $0.base + offset(step, width: outputs) } ?? zeros.base)
    }

    /// Zeros for the rows of the largest step.
    func zeros(width: Int) -> Storage { Storage(zeros: layout.batch * width) }

    /// A copy of dL/d(last state) that may be written, `[B, width]`; zero where nothing arrived. As a walk back over the steps goes on,
    /// a sequence's row holds the gradient of its state after the step at hand, and of its initial state in the end.
    func writable(_ cotangent: Tensor?, width: Int) -> Storage {
        guard let cotangent else { return zeros(width: width) }
        let copy = Storage(count: layout.batch * width)
        unsafe copy.base.update(from: cotangent.base, count: layout.batch * width)
        return copy
    }
}
