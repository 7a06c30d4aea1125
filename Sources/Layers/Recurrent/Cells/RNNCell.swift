public import TensorCore

/// One step of an Elman network with tanh or relu, as PyTorch's `RNNCell`.
public final class RNNCell: Module {
    private let cell: RecurrentCell
    private let nonlinearity: Nonlinearity

    /// A cell of H = `hiddenSize` units that reads I = `inputSize` features; every weight is uniform in ±1/√H at first.
    public init(
        inputSize: Int, hiddenSize: Int, bias: Bool = true, nonlinearity: Nonlinearity = .tanh,
        generator: Generator = .default
    ) {
        cell = RecurrentCell(
            "RNNCell", gatesPerUnit: 1, inputSize: inputSize, hiddenSize: hiddenSize, bias: bias, generator: generator)
        self.nonlinearity = nonlinearity
    }

    /// `weight_ih` `[H, I]`, `weight_hh` `[H, H]`, `bias_ih` and `bias_hh` `[H]`.
    public var namedParameters: [(name: String, parameter: Parameter)] { cell.namedParameters }

    /// One time step.
    ///
    /// - Parameters:
    ///   - input: `[B, I]`, or `[I]` of a single sequence.
    ///   - hidden: `[B, H]`, or `[H]`; nil is zero.
    /// - Returns: the next hidden state, `[B, H]` or `[H]`.
    public func callAsFunction(_ input: Tensor, _ hidden: Tensor? = nil) -> Tensor {
        cell.step(input, states: [hidden]) { input, states in
            [Tensor.rnnLayer(input, initialHidden: states[0], weights: cell.weights, nonlinearity: nonlinearity).hidden]
        }[0]
    }
}
