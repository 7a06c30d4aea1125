internal import CKernels

extension Tensor {
    /// The sum of all elements, taken in fixed lanes in double precision and rounded once.
    public func sum() -> Tensor {
        let result = Tensor(Float(unsafe ck_sum(count, base)))
        return recording("sum", result) { [shape] dy in Tensor.filled(dy.item, shape: shape) }
    }

    /// Sums over the given axes, no axis leaving all as it is; each result element is one chain of additions in row-major order.
    ///
    /// - Returns: self's shape without those axes, or with size 1 there.
    public func sum(axes: [Int], keepDims: Bool = false) -> Tensor {
        let (kept, reduced) = reducedShapes(axes, "sum")
        let result = chained(to: kept).viewed(as: keepDims ? kept : reduced)
        return recording("sum", result) { [shape] dy in dy.detached.viewed(as: kept).expanded(shape) }
    }

    /// Sums over one axis.
    public func sum(axis: Int, keepDims: Bool = false) -> Tensor { sum(axes: [axis], keepDims: keepDims) }

    /// The mean of all elements: their sum over their count.
    public func mean() -> Tensor { sum() / Float(count) }

    /// Means over the given axes: the sums over them, divided by the number of elements in each.
    public func mean(axes: [Int], keepDims: Bool = false) -> Tensor {
        sum(axes: axes, keepDims: keepDims) / Float(elements(along: axes, "mean"))
    }

    /// Means over one axis.
    public func mean(axis: Int, keepDims: Bool = false) -> Tensor { mean(axes: [axis], keepDims: keepDims) }

    /// Mean squared deviations from the mean over the given axes.
    ///
    /// - Parameter correction: taken from the number of elements before the division, 1 as in PyTorch.
    public func variance(axes: [Int], correction: Int = 1, keepDims: Bool = false) -> Tensor {
        let freedom = Swift.max(elements(along: axes, "variance") - correction, 0)
        let deviation = self - mean(axes: axes, keepDims: true)
        return deviation.squared().sum(axes: axes, keepDims: keepDims) / Float(freedom)
    }

    /// Mean squared deviations from the mean over one axis.
    public func variance(axis: Int, correction: Int = 1, keepDims: Bool = false) -> Tensor {
        variance(axes: [axis], correction: correction, keepDims: keepDims)
    }

    /// Self's shape with the axes at size 1, and without them.
    private func reducedShapes(_ axes: [Int], _ operation: String) -> (kept: [Int], reduced: [Int]) {
        let gone = Set(resolveAxes(axes, of: shape, operation))
        return (
            shape.enumerated().map { gone.contains($0) ? 1 : $1 },
            shape.enumerated().filter { !gone.contains($0.offset) }.map(\.element)
        )
    }

    private func elements(along axes: [Int], _ operation: String) -> Int {
        resolveAxes(axes, of: shape, operation).reduce(1) { $1 < shape.count ? $0 * shape[$1] : $0 }
    }
}
