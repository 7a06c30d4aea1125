public import TensorCore

/// The negated log-probability of each target class, as PyTorch's `nll_loss`.
///
/// The mean divides by the sum of the counted targets' class weights; when nothing is counted it is NaN, as 0 / 0.
///
/// - Parameters:
///   - logProbabilities: `[N, C]`, `[C]`, or `[N, C, d1, …]`, as `logSoftmax` gives them.
///   - targets: `[N]`, a single number, or `[N, d1, …]`, each in `0..<C` or equal to `ignoreIndex`.
///   - weight: `[C]`, by which each class counts; no gradient flows to it.
///   - ignoreIndex: a target that is not counted.
/// - Returns: a scalar; with `.none` the targets' shape, 0 where not counted.
public func nllLoss(
    _ logProbabilities: Tensor, _ targets: IntTensor, weight: Tensor? = nil, ignoreIndex: Int = -100,
    reduction: Reduction = .mean
) -> Tensor {
    let rows = ClassTargets(
        "nllLoss", scores: logProbabilities, targets: targets, weight: weight, ignoreIndex: ignoreIndex)
    let picked = classesLast(logProbabilities).picked(rows.classes)
    let factors = rows.weights == nil ? nil : Tensor(rows.rowWeights, shape: picked.shape)
    return reduction(factors.map { -picked * $0 } ?? -picked, total: rows.total)
}

/// `nllLoss` with its settings, as PyTorch's module.
public struct NLLLoss {
    /// `[C]`; nil for all 1.
    public var weight: Tensor?
    /// A target that is not counted.
    public var ignoreIndex: Int
    /// What becomes of the losses of single targets.
    public var reduction: Reduction

    /// The settings of `nllLoss`.
    public init(weight: Tensor? = nil, ignoreIndex: Int = -100, reduction: Reduction = .mean) {
        self.weight = weight
        self.ignoreIndex = ignoreIndex
        self.reduction = reduction
    }

    /// - Parameters:
    ///   - logProbabilities: `[N, C]`, `[C]`, or `[N, C, d1, …]`.
    ///   - targets: `[N]`, a single number, or `[N, d1, …]`.
    /// - Returns: a scalar; with `.none` the targets' shape.
    public func callAsFunction(_ logProbabilities: Tensor, _ targets: IntTensor) -> Tensor {
        nllLoss(logProbabilities, targets, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction)
    }
}
