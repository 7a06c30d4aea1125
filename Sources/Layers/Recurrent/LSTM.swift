public import TensorCore

/// A multi-layer long short-term memory, as PyTorch's `LSTM`. Gate order: input, forget, cell, output.
///
/// Shapes: D is 2 when bidirectional, else 1; P is `projSize`, or H without projection.
public final class LSTM: Module {
    private let stack: RecurrentStack

    /// - Parameters:
    ///   - batchFirst: input and output are `[B, T, …]`; states stay `[L·D, B, …]`.
    ///   - dropout: probability between layers, while training (see `withDropout`).
    ///   - projSize: P, the width that hidden states are projected to; 0 for none.
    public init(
        inputSize: Int, hiddenSize: Int, numLayers: Int = 1, bias: Bool = true, batchFirst: Bool = false,
        dropout: Float = 0,
        bidirectional: Bool = false, projSize: Int = 0, generator: Generator = .default
    ) {
        stack = RecurrentStack(
            "LSTM",
            RecurrentOptions(
                gatesPerUnit: 4, inputSize: inputSize, hiddenSize: hiddenSize, numLayers: numLayers, bias: bias,
                batchFirst: batchFirst, dropout: dropout, bidirectional: bidirectional, projSize: projSize),
            generator: generator)
    }

    public var namedParameters: [(name: String, parameter: Parameter)] { stack.namedParameters }

    /// What going on step by step needs; of one direction only.
    package var stepwise: (kind: RecurrentCellKind, weights: [RecurrentWeights]) { (.lstm, stack.forwardWeights) }

    /// - Parameters:
    ///   - input: `[T, B, I]`, `[B, T, I]` when batch comes first, or `[T, I]` of a single sequence.
    ///   - state: hidden `[L·D, B, P]` and cell `[L·D, B, H]`, without B for a single sequence; nil is zero.
    ///   - dropout: where the masks between layers come from, when not from `withDropout`.
    /// - Returns: the top layer's output, `[T, B, D·P]` in the input's layout, and both states after the last step, as given.
    public func callAsFunction(
        _ input: Tensor, state: (hidden: Tensor, cell: Tensor)? = nil, dropout: DropoutStream? = nil
    ) -> (output: Tensor, state: (hidden: Tensor, cell: Tensor)) {
        let (output, states) = stack.forward(
            input, states: state.map { [$0.hidden, $0.cell] }, dropout: dropout, layer: layer)
        return (output, (states[0], states[1]))
    }

    /// The top layer's output alone, of sequences that begin with a state of zero and are not gone on with.
    package func output(of input: Tensor, dropout: DropoutStream? = nil) -> Tensor {
        stack.forward(input, states: nil, dropout: dropout, keepsStates: false, layer: layer).output
    }

    /// As above over sequences of several lengths; states are in the order in which the sequences were given.
    public func callAsFunction(
        _ input: PackedSequence, state: (hidden: Tensor, cell: Tensor)? = nil, dropout: DropoutStream? = nil
    ) -> (output: PackedSequence, state: (hidden: Tensor, cell: Tensor)) {
        let (output, states) = stack.forward(
            input, states: state.map { [$0.hidden, $0.cell] }, dropout: dropout, layer: layer)
        return (output, (states[0], states[1]))
    }

    private func layer(
        _ input: Tensor, _ packed: StepLayout?, _ weights: RecurrentWeights, _ states: [Tensor]?, _ isReversed: Bool
    ) -> (output: Tensor, states: [Tensor]) {
        let (output, hidden, cell) = Tensor.lstmLayer(
            input, packed: packed, initialHidden: states?[0], initialCell: states?[1], weights: weights,
            isReversed: isReversed)
        return (output, [hidden, cell])
    }
}
