public import TensorCore

/// A multi-layer long short-term memory, as PyTorch's `LSTM`. Gate order: input, forget, cell, output.
public final class LSTM: Module {
    private let stack: RecurrentStack

    public init(
        inputSize: Int, hiddenSize: Int, numLayers: Int = 1, bias: Bool = true, dropout: Float = 0, generator: Generator
    ) {
        stack = RecurrentStack(
            gatesPerUnit: 4, inputSize: inputSize, hiddenSize: hiddenSize, numLayers: numLayers, bias: bias, dropout: dropout,
            generator: generator)
    }

    public var namedParameters: [(name: String, parameter: Parameter)] { stack.namedParameters }

    /// - Parameters:
    ///   - input: `[T, B, I]`.
    ///   - state: hidden and cell states, each `[L, B, H]`; nil is zero.
    ///   - dropout: where the masks between layers come from; nil when not training.
    /// - Returns: the top layer's output `[T, B, H]`, and both states after the last step, `[L, B, H]`.
    public func callAsFunction(
        _ input: Tensor, state: (hidden: Tensor, cell: Tensor)? = nil, dropout: DropoutStream? = nil
    ) -> (output: Tensor, state: (hidden: Tensor, cell: Tensor)) {
        let (output, states) = stack.forward(input, dropout: dropout) { input, index, weights in
            let (output, hidden, cell) = Tensor.lstmLayer(
                input, initialHidden: state?.hidden[index], initialCell: state?.cell[index], weights: weights)
            return (output, (hidden, cell))
        }
        return (output, (Tensor.stack(states.map(\.0)), Tensor.stack(states.map(\.1))))
    }
}
