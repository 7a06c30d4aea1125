internal import TensorCore

/// Class targets `[N, d1, …]` beside scores `[N, C, d1, …]`, as rows: what cross-entropy and the likelihood loss share.
struct ClassTargets {
    /// One a row; −1 where the loss is not counted.
    let classes: [Int32]
    /// One a class; nil for all 1.
    let weights: [Float]?

    /// - Parameter scores: `[C]`, `[N, C]` or `[N, C, d1, …]`.
    init(_ operation: String, scores: Tensor, targets: IntTensor, weight: Tensor?, ignoreIndex: Int) {
        let shape = scores.shape
        require(!shape.isEmpty, "\(operation): scores of shape \(shape) have no class axis")
        require(
            targets.shape == Self.shape(without: shape),
            "\(operation): targets of shape \(targets.shape) for scores of shape \(shape); expected \(Self.shape(without: shape))"
        )
        let count = shape[classAxis(shape)]
        weights = classWeights(operation, weight, scores: scores)
        classes = targets.values.map { target in
            if Int(target) == ignoreIndex { return -1 }
            require(
                target >= 0 && Int(target) < count,
                "\(operation): target \(target) is outside the \(count) classes of scores of shape \(shape)")
            return target
        }
    }

    /// The weight of each row's own class, 0 where it is not counted.
    var rowWeights: [Float] { classes.map { $0 < 0 ? 0 : weights?[Int($0)] ?? 1 } }

    /// What PyTorch's mean divides by: the sum of the weights of the counted rows' own classes.
    var total: Float { Tensor(rowWeights).sum().item }

    private static func shape(without shape: [Int]) -> [Int] {
        var rest = shape
        rest.remove(at: classAxis(shape))
        return rest
    }
}

/// Classes lie on axis 1, or on axis 0 of a vector.
func classAxis(_ shape: [Int]) -> Int { shape.count == 1 ? 0 : 1 }

/// `[N, C, d1, …]` as `[N, d1, …, C]`.
func classesLast(_ scores: Tensor) -> Tensor {
    guard scores.shape.count > 2 else { return scores }
    return scores.permuted([0] + Array(2..<scores.shape.count) + [1])
}

/// The class weights' values, once their shape is found to be `[C]`.
func classWeights(_ operation: String, _ weight: Tensor?, scores: Tensor) -> [Float]? {
    guard let weight else { return nil }
    let classes = scores.shape[classAxis(scores.shape)]
    require(
        weight.shape == [classes],
        "\(operation): weight of shape \(weight.shape) for scores of shape \(scores.shape); expected \([classes])")
    return weight.values
}
