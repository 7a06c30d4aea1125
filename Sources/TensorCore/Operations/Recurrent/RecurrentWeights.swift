internal import CKernels

/// The parameters of one recurrent layer, PyTorch's names without the layer's suffix. G is 4 for an LSTM, 3 for a GRU, 1 for an RNN.
package struct RecurrentWeights {
    /// `[G·H, I]`.
    package let inputHidden: Parameter
    /// `[G·H, H]`.
    package let hiddenHidden: Parameter
    /// `[G·H]`, both or neither.
    package let biasInputHidden: Parameter?
    package let biasHiddenHidden: Parameter?

    package init(
        inputHidden: Parameter, hiddenHidden: Parameter, biasInputHidden: Parameter?, biasHiddenHidden: Parameter?
    ) {
        let width = hiddenHidden.shape[0]
        require(
            inputHidden.shape[0] == width && (biasInputHidden?.shape ?? [width]) == [width]
                && (biasHiddenHidden?.shape ?? [width]) == [width] && (biasInputHidden == nil) == (biasHiddenHidden == nil),
            "recurrent layer: weights \(inputHidden.shape) and \(hiddenHidden.shape) with biases \(biasInputHidden?.shape ?? []) and \(biasHiddenHidden?.shape ?? []) do not belong together"
        )
        self.inputHidden = inputHidden
        self.hiddenHidden = hiddenHidden
        self.biasInputHidden = biasInputHidden
        self.biasHiddenHidden = biasHiddenHidden
    }

    var inputSize: Int { inputHidden.shape[1] }
    var hiddenSize: Int { hiddenHidden.shape[1] }
    /// G·H.
    var gateWidth: Int { hiddenHidden.shape[0] }
    var all: [Parameter] { [inputHidden, hiddenHidden] + [biasInputHidden, biasHiddenHidden].compactMap { $0 } }

    /// Both biases added up once: what the chain of a pre-activation starts from.
    var summedBias: Storage? {
        guard let biasInputHidden, let biasHiddenHidden else { return nil }
        let sum = Storage(count: gateWidth)
        unsafe sum.base.update(from: biasInputHidden.storage.base, count: gateWidth)
        unsafe ck_add(gateWidth, biasHiddenHidden.storage.base, sum.base)
        return sum
    }
}

/// Sizes and buffers that the forward and backward of one layer share, whatever its cell.
struct RecurrentGeometry {
    let steps: Int
    let batch: Int
    let inputs: Int
    let hidden: Int
    let gates: Int

    init(_ operation: String, input: Tensor, weights: RecurrentWeights, gatesPerUnit: Int, states: [Tensor?]) {
        require(
            input.shape.count == 3 && input.shape[2] == weights.inputSize,
            "\(operation): input \(input.shape) is not [T, B, \(weights.inputSize)]")
        steps = input.shape[0]
        batch = input.shape[1]
        inputs = weights.inputSize
        hidden = weights.hiddenSize
        gates = weights.gateWidth
        require(
            gates == gatesPerUnit * hidden,
            "\(operation): weight \(weights.hiddenHidden.shape) is not [\(gatesPerUnit)·H, H]")
        for state in states.compactMap({ $0 }) {
            require(
                state.shape == [batch, hidden], "\(operation): initial state \(state.shape) for input \(input.shape) is not [\(batch), \(hidden)]")
        }
    }

    /// Floats of one time step of hidden state, and of gates.
    var stateSize: Int { batch * hidden }
    var gateSize: Int { batch * gates }

    /// States of all steps, `[T + 1, B, H]`, the initial one first: the one before each step and the one after it are the same array,
    /// shifted by a row of blocks.
    func states(startingFrom initial: Tensor?) -> Storage {
        let states = Storage(count: (steps + 1) * stateSize)
        if let initial {
            unsafe states.base.update(from: initial.base, count: stateSize)
        } else {
            unsafe states.base.update(repeating: 0, count: stateSize)
        }
        return states
    }

    /// x · W_ihᵀ of all time steps, in one product.
    func projectInput(_ input: Tensor, _ weights: RecurrentWeights, bias: Storage?, into gatesOut: Storage) {
        let scratch = productScratch(depth: inputs)
        unsafe ck_gemm(
            bias == nil ? CK_FROM_ZERO : CK_FROM_BIAS, steps * batch, gates, inputs, input.base, inputs,
            .plain(inputs, stride: 1), weights.inputHidden.packedForward.base, bias?.base, gatesOut.base, gates, scratch.base)
    }

    /// dx = dgates · W_ih of all time steps, `[T, B, I]`.
    func inputGradient(_ gateGradients: Storage, _ weights: RecurrentWeights) -> Tensor {
        let dx = Tensor(shape: [steps, batch, inputs], storage: Storage(count: steps * batch * inputs))
        let scratch = productScratch(depth: gates)
        unsafe ck_gemm(
            CK_FROM_ZERO, steps * batch, inputs, gates, gateGradients.base, gates, .plain(gates, stride: 1),
            weights.inputHidden.packedBackward.base, nil, dx.base, inputs, scratch.base)
        return dx
    }

    /// Gradients of the four parameters. `fromInput` and `fromHidden` are dL/d(pre-activation) on the two sides, one array where the cell adds the sides.
    func accumulateWeights(
        _ pass: BackwardPass, _ weights: RecurrentWeights, input: Tensor, states: Storage, fromInput: Storage,
        fromHidden: Storage
    ) {
        unsafe pass.accumulateWeight(
            weights.hiddenHidden, steps: steps, batch: batch, outputs: fromHidden.base, inputs: states.base)
        unsafe pass.accumulateWeight(
            weights.inputHidden, steps: steps, batch: batch, outputs: fromInput.base, inputs: input.base)
        if let bias = weights.biasHiddenHidden {
            unsafe pass.accumulateBias(bias, steps: steps, batch: batch, outputs: fromHidden.base)
        }
        if let bias = weights.biasInputHidden {
            unsafe pass.accumulateBias(bias, steps: steps, batch: batch, outputs: fromInput.base)
        }
    }

    /// The results that the tape sees: every step's output `[T, B, H]`, and the last state.
    func output(_ states: Storage) -> Tensor {
        Tensor(shape: [steps, batch, hidden], storage: states, offset: stateSize)
    }

    func last(_ states: Storage) -> Tensor {
        Tensor(shape: [batch, hidden], storage: states, offset: steps * stateSize)
    }

    /// dL/d(output of step `time`), zero where nothing arrived.
    func above(_ cotangent: Tensor?, zeros: Storage, _ time: Int) -> UnsafePointer<Float> {
        unsafe UnsafePointer(cotangent.map { unsafe $0.base + time * stateSize } ?? zeros.base)
    }

    /// A copy that may be written, of a cotangent that may be missing.
    func writable(_ cotangent: Tensor?) -> Storage {
        guard let cotangent else { return Storage(zeros: stateSize) }
        let copy = Storage(count: stateSize)
        unsafe copy.base.update(from: cotangent.base, count: stateSize)
        return copy
    }
}
