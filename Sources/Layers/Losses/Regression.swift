public import TensorCore

// Losses of numbers against numbers of one shape. The result is a scalar; with `.none`, one loss an element.

/// (x − y)², as PyTorch's `mse_loss`.
///
/// - Returns: a scalar; with `.none` the shape of `input`, which `target` shares.
public func mseLoss(_ input: Tensor, _ target: Tensor, reduction: Reduction = .mean) -> Tensor {
    reduction(difference("mseLoss", input, target).squared())
}

/// |x − y|, as PyTorch's `l1_loss`.
///
/// - Returns: a scalar; with `.none` the shape of `input`, which `target` shares.
public func l1Loss(_ input: Tensor, _ target: Tensor, reduction: Reduction = .mean) -> Tensor {
    reduction(difference("l1Loss", input, target).abs())
}

/// ½ (x − y)² / β where |x − y| < β, else |x − y| − ½ β, as PyTorch's `smooth_l1_loss`; with β = 0, `l1Loss`.
///
/// - Returns: a scalar; with `.none` the shape of `input`, which `target` shares.
public func smoothL1Loss(_ input: Tensor, _ target: Tensor, reduction: Reduction = .mean, beta: Float = 1) -> Tensor {
    require(beta >= 0, "smoothL1Loss: beta \(beta) for shapes \(input.shape) and \(target.shape) is negative")
    if beta == 0 { return l1Loss(input, target, reduction: reduction) }
    let each = difference("smoothL1Loss", input, target).elementwise(
        "smoothL1Loss", { $0.magnitude < beta ? 0.5 * $0 * $0 / beta : $0.magnitude - 0.5 * beta },
        derivative: { $0 <= -beta ? -1 : $0 >= beta ? 1 : $0 / beta })
    return reduction(each)
}

/// ½ (x − y)² where |x − y| ≤ δ, else δ (|x − y| − ½ δ), as PyTorch's `huber_loss`.
///
/// - Returns: a scalar; with `.none` the shape of `input`, which `target` shares.
public func huberLoss(_ input: Tensor, _ target: Tensor, reduction: Reduction = .mean, delta: Float = 1) -> Tensor {
    require(delta > 0, "huberLoss: delta \(delta) for shapes \(input.shape) and \(target.shape) is not positive")
    let each = difference("huberLoss", input, target).elementwise(
        "huberLoss", { $0.magnitude <= delta ? 0.5 * $0 * $0 : delta * ($0.magnitude - 0.5 * delta) },
        derivative: { $0 <= -delta ? -delta : $0 >= delta ? delta : $0 })
    return reduction(each)
}

/// `mseLoss` as PyTorch's module.
public struct MSELoss {
    /// What becomes of the losses of single elements.
    public var reduction: Reduction

    /// The settings of `mseLoss`.
    public init(reduction: Reduction = .mean) { self.reduction = reduction }

    /// The loss of two tensors of one shape: a scalar; with `.none` that shape.
    public func callAsFunction(_ input: Tensor, _ target: Tensor) -> Tensor {
        mseLoss(input, target, reduction: reduction)
    }
}

/// `l1Loss` as PyTorch's module.
public struct L1Loss {
    /// What becomes of the losses of single elements.
    public var reduction: Reduction

    /// The settings of `l1Loss`.
    public init(reduction: Reduction = .mean) { self.reduction = reduction }

    /// The loss of two tensors of one shape: a scalar; with `.none` that shape.
    public func callAsFunction(_ input: Tensor, _ target: Tensor) -> Tensor {
        l1Loss(input, target, reduction: reduction)
    }
}

/// `smoothL1Loss` as PyTorch's module.
public struct SmoothL1Loss {
    /// What becomes of the losses of single elements.
    public var reduction: Reduction
    /// Where the parabola ends, 0 or more.
    public var beta: Float

    /// The settings of `smoothL1Loss`.
    public init(reduction: Reduction = .mean, beta: Float = 1) {
        self.reduction = reduction
        self.beta = beta
    }

    /// The loss of two tensors of one shape: a scalar; with `.none` that shape.
    public func callAsFunction(_ input: Tensor, _ target: Tensor) -> Tensor {
        smoothL1Loss(input, target, reduction: reduction, beta: beta)
    }
}

/// `huberLoss` as PyTorch's module.
public struct HuberLoss {
    /// What becomes of the losses of single elements.
    public var reduction: Reduction
    /// Where the parabola ends, above 0.
    public var delta: Float

    /// The settings of `huberLoss`.
    public init(reduction: Reduction = .mean, delta: Float = 1) {
        self.reduction = reduction
        self.delta = delta
    }

    /// The loss of two tensors of one shape: a scalar; with `.none` that shape.
    public func callAsFunction(_ input: Tensor, _ target: Tensor) -> Tensor {
        huberLoss(input, target, reduction: reduction, delta: delta)
    }
}

private func difference(_ operation: String, _ input: Tensor, _ target: Tensor) -> Tensor {
    require(
        input.shape == target.shape,
        "\(operation): input of shape \(input.shape) and target of shape \(target.shape) differ")
    return input - target
}
