public import TensorCore

/// Cross-entropy of the sigmoid of each logit against the probability of "yes", as PyTorch's `binary_cross_entropy_with_logits`.
///
/// Computed as (1 − y) · ln(1 + eˣ) + p · y · ln(1 + e⁻ˣ): no term overflows, and none is the small difference of large numbers.
///
/// - Parameters:
///   - logits: x, of any shape.
///   - targets: y, of the same shape, in 0...1.
///   - weight: a factor for each loss; broadcasts to the logits' shape.
///   - posWeight: p, a factor for the "yes" part; broadcasts to the logits' shape.
/// - Returns: a scalar; with `.none` the logits' shape.
public func binaryCrossEntropyWithLogits(
    _ logits: Tensor, _ targets: Tensor, weight: Tensor? = nil, reduction: Reduction = .mean, posWeight: Tensor? = nil
) -> Tensor {
    require(
        logits.shape == targets.shape,
        "binaryCrossEntropyWithLogits: logits of shape \(logits.shape) and targets of shape \(targets.shape) differ")
    let yes = posWeight.map { targets * $0 } ?? targets
    var each = (1 - targets) * logits.softplus() + yes * (-logits).softplus()
    if let weight { each = each * weight }
    require(
        each.shape == logits.shape,
        "binaryCrossEntropyWithLogits: weights of shapes \(weight?.shape ?? []) and \(posWeight?.shape ?? []) do not stretch to \(logits.shape)"
    )
    return reduction(each)
}

/// `binaryCrossEntropyWithLogits` with its settings, as PyTorch's module.
public struct BCEWithLogitsLoss {
    /// A factor for each loss; nil for 1.
    public var weight: Tensor?
    /// What becomes of the losses of single elements.
    public var reduction: Reduction
    /// A factor for the "yes" part; nil for 1.
    public var posWeight: Tensor?

    /// The settings of `binaryCrossEntropyWithLogits`.
    public init(weight: Tensor? = nil, reduction: Reduction = .mean, posWeight: Tensor? = nil) {
        self.weight = weight
        self.reduction = reduction
        self.posWeight = posWeight
    }

    /// - Parameters:
    ///   - logits: of any shape.
    ///   - targets: of the same shape, in 0...1.
    /// - Returns: a scalar; with `.none` the logits' shape.
    public func callAsFunction(_ logits: Tensor, _ targets: Tensor) -> Tensor {
        binaryCrossEntropyWithLogits(logits, targets, weight: weight, reduction: reduction, posWeight: posWeight)
    }
}
