public import TensorCore

/// Softmax cross-entropy of logits `[…, V]` against target classes, summed over rows, in nats. A target below 0 is not counted.
///
/// - Returns: `sum`, a scalar; `each`, the loss of every row, 0 where not counted.
public func crossEntropySum(_ logits: Tensor, targets: [Int32]) -> (sum: Tensor, each: Tensor) {
    logits.crossEntropy(targets)
}
