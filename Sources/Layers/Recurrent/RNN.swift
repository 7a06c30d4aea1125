public import TensorCore

/// A multi-layer Elman network with tanh or relu, as PyTorch's `RNN`.
///
/// Shapes: D is 2 when bidirectional, else 1.
public final class RNN: Module {
    private let stack: RecurrentStack
    private let nonlinearity: Nonlinearity

    /// - Parameters:
    ///   - nonlinearity: what a unit applies to its pre-activation.
    ///   - batchFirst: input and output are `[B, T, …]`; states stay `[L·D, B, H]`.
    ///   - dropout: probability between layers, while training (see `withDropout`).
    public init(
        inputSize: Int, hiddenSize: Int, numLayers: Int = 1, nonlinearity: Nonlinearity = .tanh, bias: Bool = true,
        batchFirst: Bool = false,
        dropout: Float = 0, bidirectional: Bool = false, generator: Generator = .default
    ) {
        stack = RecurrentStack(
            "RNN",
            RecurrentOptions(
                gatesPerUnit: 1, inputSize: inputSize, hiddenSize: hiddenSize, numLayers: numLayers, bias: bias,
                batchFirst: batchFirst, dropout: dropout, bidirectional: bidirectional),
            generator: generator)
        self.nonlinearity = nonlinearity
    }

    public var namedParameters: [(name: String, parameter: Parameter)] { stack.namedParameters }

    /// What going on step by step needs; of one direction only.
    package var stepwise: (kind: RecurrentCellKind, weights: [RecurrentWeights]) {
        (.rnn(nonlinearity), stack.forwardWeights)
    }

    /// - Parameters:
    ///   - input: `[T, B, I]`, `[B, T, I]` when batch comes first, or `[T, I]` of a single sequence.
    ///   - state: `[L·D, B, H]`, without B for a single sequence; nil is zero.
    ///   - dropout: where the masks between layers come from, when not from `withDropout`.
    /// - Returns: the top layer's output, `[T, B, D·H]` in the input's layout, and the state after the last step, as given.
    public func callAsFunction(
        _ input: Tensor, state: Tensor? = nil, dropout: DropoutStream? = nil
    ) -> (output: Tensor, state: Tensor) {
        let (output, states) = stack.forward(input, states: state.map { [$0] }, dropout: dropout, layer: layer)
        return (output, states[0])
    }

    /// The top layer's output alone, of sequences that begin with a state of zero and are not gone on with.
    package func output(of input: Tensor, dropout: DropoutStream? = nil) -> Tensor {
        stack.forward(input, states: nil, dropout: dropout, keepsStates: false, layer: layer).output
    }

    /// As above over sequences of several lengths; states are in the order in which the sequences were given.
    public func callAsFunction(
        _ input: PackedSequence, state: Tensor? = nil, dropout: DropoutStream? = nil
    ) -> (output: PackedSequence, state: Tensor) {
        let (output, states) = stack.forward(input, states: state.map { [$0] }, dropout: dropout, layer: layer)
        return (output, states[0])
    }

    private func layer(
        _ input: Tensor, _ packed: StepLayout?, _ weights: RecurrentWeights, _ states: [Tensor]?, _ isReversed: Bool
    ) -> (output: Tensor, states: [Tensor]) {
        let (output, hidden) = Tensor.rnnLayer(
            input, packed: packed, initialHidden: states?[0], weights: weights, nonlinearity: nonlinearity,
            isReversed: isReversed)
        return (output, [hidden])
    }
}
