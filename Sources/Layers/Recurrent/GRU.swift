public import TensorCore

/// A multi-layer gated recurrent unit, as PyTorch's `GRU`. Gate order: reset, update, new.
public final class GRU: Module {
    private let stack: RecurrentStack

    public init(
        inputSize: Int, hiddenSize: Int, numLayers: Int = 1, bias: Bool = true, dropout: Float = 0, generator: Generator
    ) {
        stack = RecurrentStack(
            gatesPerUnit: 3, inputSize: inputSize, hiddenSize: hiddenSize, numLayers: numLayers, bias: bias, dropout: dropout,
            generator: generator)
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
            let (output, hidden) = Tensor.gruLayer(input, initialHidden: state?[index], weights: weights)
            return (output, hidden)
        }
        return (output, Tensor.stack(states))
    }
}
