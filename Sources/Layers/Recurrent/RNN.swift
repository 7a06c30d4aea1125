public import TensorCore

/// A multi-layer Elman network with tanh or relu, as PyTorch's `RNN`.
public final class RNN: Module {
    private let stack: RecurrentStack
    private let nonlinearity: Nonlinearity

    public init(
        inputSize: Int, hiddenSize: Int, numLayers: Int = 1, nonlinearity: Nonlinearity = .tanh, bias: Bool = true,
        dropout: Float = 0, generator: Generator
    ) {
        stack = RecurrentStack(
            gatesPerUnit: 1, inputSize: inputSize, hiddenSize: hiddenSize, numLayers: numLayers, bias: bias, dropout: dropout,
            generator: generator)
        self.nonlinearity = nonlinearity
    }

    public var namedParameters: [(name: String, parameter: Parameter)] { stack.namedParameters }

    /// - Parameters:
    ///   - input: `[T, B, I]`.
    ///   - state: `[L, B, H]`; nil is zero.
    ///   - dropout: where the masks between layers come from; nil when not training.
    /// - Returns: the top layer's output `[T, B, H]`, and the state after the last step, `[L, B, H]`.
    public func callAsFunction(
        _ input: Tensor, state: Tensor? = nil, dropout: DropoutStream? = nil
    ) -> (output: Tensor, state: Tensor) {
        let (output, states) = stack.forward(input, dropout: dropout) { input, index, weights in
            let (output, hidden) = Tensor.rnnLayer(input, initialHidden: state?[index], weights: weights, nonlinearity: nonlinearity)
            return (output, hidden)
        }
        return (output, Tensor.stack(states))
    }
}
