public import TensorCore

/// One step of a long short-term memory, as PyTorch's `LSTMCell`. Gate order: input, forget, cell, output.
public final class LSTMCell: Module {
    private let cell: RecurrentCell

    /// A cell of H = `hiddenSize` units that reads I = `inputSize` features; every weight is uniform in ±1/√H at first.
    public init(inputSize: Int, hiddenSize: Int, bias: Bool = true, generator: Generator = .default) {
        cell = RecurrentCell(
            "LSTMCell", gatesPerUnit: 4, inputSize: inputSize, hiddenSize: hiddenSize, bias: bias, generator: generator)
    }

    /// `weight_ih` `[4·H, I]`, `weight_hh` `[4·H, H]`, `bias_ih` and `bias_hh` `[4·H]`.
    public var namedParameters: [(name: String, parameter: Parameter)] { cell.namedParameters }

    /// One time step.
    ///
    /// - Parameters:
    ///   - input: `[B, I]`, or `[I]` of a single sequence.
    ///   - state: hidden and cell state, each `[B, H]`, or `[H]`; nil is zero.
    /// - Returns: the next hidden and cell state, each `[B, H]` or `[H]`.
    public func callAsFunction(
        _ input: Tensor, _ state: (hidden: Tensor, cell: Tensor)? = nil
    ) -> (hidden: Tensor, cell: Tensor) {
        let next = cell.step(input, states: [state?.hidden, state?.cell]) { input, states in
            let (_, hidden, last) = Tensor.lstmLayer(
                input, initialHidden: states[0], initialCell: states[1], weights: cell.weights)
            return [hidden, last]
        }
        return (next[0], next[1])
    }
}
