public import TensorCore

/// Softmax cross-entropy against target classes, in nats, as PyTorch's `cross_entropy`.
///
/// With smoothing ε a target counts 1 − ε for its own class and ε / C for every class. The mean divides by the sum of the counted
/// targets' class weights, with and without smoothing; when nothing is counted it is NaN, as 0 / 0.
///
/// - Parameters:
///   - logits: `[N, C]`, `[C]`, or `[N, C, d1, …]`.
///   - targets: `[N]`, a single number, or `[N, d1, …]`, each in `0..<C` or equal to `ignoreIndex`.
///   - weight: `[C]`, by which each class counts; no gradient flows to it.
///   - ignoreIndex: a target that is not counted.
///   - labelSmoothing: ε, in 0...1.
/// - Returns: a scalar; with `.none` the targets' shape, 0 where not counted.
public func crossEntropy(
    _ logits: Tensor, _ targets: IntTensor, weight: Tensor? = nil, ignoreIndex: Int = -100,
    reduction: Reduction = .mean,
    labelSmoothing: Float = 0
) -> Tensor {
    requireSmoothing(labelSmoothing, logits)
    let rows = ClassTargets("crossEntropy", scores: logits, targets: targets, weight: weight, ignoreIndex: ignoreIndex)
    let each = classesLast(logits)
        .crossEntropyOfRows(rows.classes, weights: rows.weights, smoothing: labelSmoothing)
    return reduction(each, total: rows.total)
}

/// Softmax cross-entropy against the share that each class should have, in nats, as PyTorch's `cross_entropy` with probabilities.
///
/// The mean divides by the number of distributions, whatever the weights.
///
/// - Parameters:
///   - logits: `[N, C]`, `[C]`, or `[N, C, d1, …]`.
///   - targets: of the same shape; gradients flow to them too.
///   - weight: `[C]`, by which each class counts; no gradient flows to it.
///   - labelSmoothing: ε, in 0...1: targets become (1 − ε) · target + ε / C.
/// - Returns: a scalar; with `.none` the shape without the class axis.
public func crossEntropy(
    _ logits: Tensor, _ targets: Tensor, weight: Tensor? = nil, reduction: Reduction = .mean, labelSmoothing: Float = 0
) -> Tensor {
    requireSmoothing(labelSmoothing, logits)
    require(
        logits.shape == targets.shape && !logits.shape.isEmpty,
        "crossEntropy: target probabilities of shape \(targets.shape) for logits of shape \(logits.shape)")
    let classes = logits.shape[classAxis(logits.shape)]
    var shares = classesLast(targets)
    if labelSmoothing > 0 { shares = shares * (1 - labelSmoothing) + labelSmoothing / Float(classes) }
    var terms = classesLast(logits).logSoftmax() * shares
    if let weights = classWeights("crossEntropy", weight, scores: logits) { terms = terms * Tensor(weights) }
    return reduction(-terms.sum(axis: -1))
}

/// `crossEntropy` with its settings, as PyTorch's module.
public struct CrossEntropyLoss {
    /// `[C]`; nil for all 1.
    public var weight: Tensor?
    /// A class target that is not counted.
    public var ignoreIndex: Int
    /// What becomes of the losses of single targets.
    public var reduction: Reduction
    /// ε, in 0...1.
    public var labelSmoothing: Float

    /// The settings of `crossEntropy`.
    public init(
        weight: Tensor? = nil, ignoreIndex: Int = -100, reduction: Reduction = .mean, labelSmoothing: Float = 0
    ) {
        self.weight = weight
        self.ignoreIndex = ignoreIndex
        self.reduction = reduction
        self.labelSmoothing = labelSmoothing
    }

    /// - Parameters:
    ///   - logits: `[N, C]`, `[C]`, or `[N, C, d1, …]`.
    ///   - targets: classes, `[N]`, a single number, or `[N, d1, …]`.
    /// - Returns: a scalar; with `.none` the targets' shape.
    public func callAsFunction(_ logits: Tensor, _ targets: IntTensor) -> Tensor {
        crossEntropy(
            logits, targets, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction,
            labelSmoothing: labelSmoothing)
    }

    /// - Parameters:
    ///   - logits: `[N, C]`, `[C]`, or `[N, C, d1, …]`.
    ///   - targets: the share of each class, of the same shape.
    /// - Returns: a scalar; with `.none` the shape without the class axis.
    public func callAsFunction(_ logits: Tensor, _ targets: Tensor) -> Tensor {
        crossEntropy(logits, targets, weight: weight, reduction: reduction, labelSmoothing: labelSmoothing)
    }
}

/// Softmax cross-entropy of logits `[…, V]` against target classes, summed over rows, in nats. A target below 0 is not counted.
///
/// - Returns: `sum`, a scalar; `each`, the loss of every row, 0 where not counted.
public func crossEntropySum(_ logits: Tensor, targets: [Int32]) -> (sum: Tensor, each: Tensor) {
    logits.crossEntropy(targets)
}

private func requireSmoothing(_ smoothing: Float, _ logits: Tensor) {
    require(
        smoothing >= 0 && smoothing <= 1,
        "crossEntropy: label smoothing \(smoothing) for logits of shape \(logits.shape) is not in 0...1")
}
