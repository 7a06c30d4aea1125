public import TensorCore

/// One step of a gated recurrent unit, as PyTorch's `GRUCell`. Gate order: reset, update, new.
public final class GRUCell: Module {
    private let cell: RecurrentCell

    /// A cell of H = `hiddenSize` units that reads I = `inputSize` features; every weight is uniform in ±1/√H at first.
    public init(
        inputSize: Int, hiddenSize: Int, bias: Bool = true, generator: Generator = .default
    ) {
        cell = RecurrentCell(
            "GRUCell", gatesPerUnit: 3, inputSize: inputSize, hiddenSize: hiddenSize, bias: bias, generator: generator)
    }

    /// `weight_ih` `[3·H, I]`, `weight_hh` `[3·H, H]`, `bias_ih` and `bias_hh` `[3·H]`.
    public var namedParameters: [(name: String, parameter: Parameter)] { cell.namedParameters }

    /// One time step.
    ///
    /// - Parameters:
    ///   - input: `[B, I]`, or `[I]` of a single sequence.
    ///   - hidden: `[B, H]`, or `[H]`; nil is zero.
    /// - Returns: the next hidden state, `[B, H]` or `[H]`.
    public func callAsFunction(_ input: Tensor, _ hidden: Tensor? = nil) -> Tensor {
        cell.step(input, states: [hidden]) { input, states in
            [Tensor.gruLayer(input, initialHidden: states[0], weights: cell.weights).hidden]
        }[0]
    }
}
