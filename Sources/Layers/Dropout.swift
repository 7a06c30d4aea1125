public import TensorCore

/// Zeroes elements at random while training, as PyTorch's `Dropout`: inside `withDropout`, and not elsewhere.
public struct Dropout: Module {
    /// The probability that an element is dropped.
    public let p: Float

    /// Drops each element with probability `p`, 0...1.
    public init(p: Float = 0.5) {
        require(p >= 0 && p <= 1, "Dropout: probability \(p) is not in 0...1")
        self.p = p
    }

    /// Each element zeroed with probability p, the others scaled by 1 / (1 − p); any shape.
    public func callAsFunction(_ input: Tensor) -> Tensor {
        guard p > 0, let calls = DropoutMode.current else { return input }
        return input.dropout(probability: p, stream: calls.next())
    }
}
