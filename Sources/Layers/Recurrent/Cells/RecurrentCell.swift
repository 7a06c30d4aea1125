internal import TensorCore

/// The weights of one cell, and a time step as a layer that is one step long.
struct RecurrentCell {
    private let name: String
    let weights: RecurrentWeights

    init(_ name: String, gatesPerUnit: Int, inputSize: Int, hiddenSize: Int, bias: Bool, generator: Generator) {
        let options = RecurrentOptions(
            gatesPerUnit: gatesPerUnit, inputSize: inputSize, hiddenSize: hiddenSize, bias: bias)
        self.name = name
        weights = RecurrentStack(name, options, generator: generator).layers[0][0]
    }

    /// PyTorch's names: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`.
    var namedParameters: [(name: String, parameter: Parameter)] { weights.named(suffix: "") }

    /// - Parameters:
    ///   - input: `[B, I]` or `[I]`.
    ///   - states: each `[B, H]` or `[H]`.
    ///   - layer: from `[1, B, I]` and states `[B, H]` to the last states.
    func step(_ input: Tensor, states: [Tensor?], layer: (Tensor, [Tensor?]) -> [Tensor]) -> [Tensor] {
        let inputSize = weights.inputHidden.shape[1]
        require(
            (1...2).contains(input.shape.count) && input.shape.last == inputSize,
            "\(name): input \(input.shape) is not [B, \(inputSize)] or [\(inputSize)]")
        let isSingle = input.shape.count == 1
        let batch = isSingle ? 1 : input.shape[0]
        require(batch > 0, "\(name): input \(input.shape) holds no sequences; expected one or more")
        let expected = (isSingle ? [] : [batch]) + [weights.hiddenHidden.shape[1]]
        for case (let state?, let kind) in zip(states, ["hidden", "cell"]) {
            require(
                state.shape == expected,
                "\(name): \(kind) state \(state.shape) for input \(input.shape); expected \(expected)")
        }
        let given = states.map { state in state.map { isSingle ? $0.reshaped([1, $0.count]) : $0 } }
        let next = layer(input.reshaped([1, batch, inputSize]), given)
        return isSingle ? next.map { $0.reshaped([$0.count]) } : next
    }
}
