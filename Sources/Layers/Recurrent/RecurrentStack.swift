internal import TensorCore

/// Layers of one kind of cell, each reading the outputs of the one below, with dropout between them.
struct RecurrentStack {
    let inputSize: Int
    let hiddenSize: Int
    let dropout: Float
    let layers: [RecurrentWeights]

    /// - Parameter gatesPerUnit: 4 for an LSTM, 3 for a GRU, 1 for an RNN.
    init(
        gatesPerUnit: Int, inputSize: Int, hiddenSize: Int, numLayers: Int, bias: Bool, dropout: Float, generator: Generator
    ) {
        require(
            inputSize > 0 && hiddenSize > 0 && numLayers > 0,
            "recurrent layers: input size \(inputSize), hidden size \(hiddenSize), \(numLayers) layers; each must be positive")
        require(dropout >= 0 && dropout < 1, "recurrent layers: dropout \(dropout) is not in 0..<1")
        self.inputSize = inputSize
        self.hiddenSize = hiddenSize
        self.dropout = dropout
        let bound = 1 / Float(hiddenSize).squareRoot()
        let width = gatesPerUnit * hiddenSize
        layers = (0..<numLayers).map { layer in
            RecurrentWeights(
                inputHidden: generator.uniform([width, layer == 0 ? inputSize : hiddenSize], bound: bound),
                hiddenHidden: generator.uniform([width, hiddenSize], bound: bound),
                biasInputHidden: bias ? generator.uniform([width], bound: bound) : nil,
                biasHiddenHidden: bias ? generator.uniform([width], bound: bound) : nil)
        }
    }

    /// PyTorch's names: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, ….
    var namedParameters: [(name: String, parameter: Parameter)] {
        layers.enumerated().flatMap { index, layer in
            [
                ("weight_ih_l\(index)", layer.inputHidden), ("weight_hh_l\(index)", layer.hiddenHidden),
                ("bias_ih_l\(index)", layer.biasInputHidden), ("bias_hh_l\(index)", layer.biasHiddenHidden),
            ].compactMap { name, parameter in parameter.map { (name, $0) } }
        }
    }

    /// Runs `layer` from the bottom up.
    ///
    /// - Parameters:
    ///   - input: `[T, B, I]`.
    ///   - dropout: where masks come from; nil when not training.
    /// - Returns: the top layer's output, `[T, B, H]`, and what each layer returned beside its output.
    func forward<State>(
        _ input: Tensor, dropout stream: DropoutStream?,
        layer: (_ input: Tensor, _ index: Int, _ weights: RecurrentWeights) -> (output: Tensor, state: State)
    ) -> (output: Tensor, states: [State]) {
        var flowing = input
        var states: [State] = []
        for (index, weights) in layers.enumerated() {
            if index > 0, let stream { flowing = flowing.dropout(probability: dropout, stream: stream, layer: index) }
            let (output, state) = layer(flowing, index, weights)
            flowing = output
            states.append(state)
        }
        return (flowing, states)
    }
}
