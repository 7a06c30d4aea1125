internal import TensorCore

/// What becomes of the losses of single elements.
public enum Reduction: String, Sendable, CaseIterable {
    /// Their sum over their count, or over the sum of the weights that they carry.
    case mean
    /// Their sum, in fixed lanes in double precision.
    case sum
    /// Nothing: one loss an element.
    case none

    /// - Parameter total: what the mean divides by; nil for the number of elements.
    func callAsFunction(_ each: Tensor, total: Float? = nil) -> Tensor {
        switch self {
        case .mean: each.sum() / (total ?? Float(each.count))
        case .sum: each.sum()
        case .none: each
        }
    }
}
