extension Tensor {
    /// The largest element along an axis, and where it is; the first of equal ones, NaN before everything. The gradient goes to that one.
    public func max(axis: Int, keepDims: Bool = false) -> (values: Tensor, indices: IntTensor) {
        extrema("max", axis, keepDims) { $0 > $1 }
    }

    /// The smallest element along an axis, and where it is; the first of equal ones, NaN before everything. The gradient goes to that one.
    public func min(axis: Int, keepDims: Bool = false) -> (values: Tensor, indices: IntTensor) {
        extrema("min", axis, keepDims) { $0 < $1 }
    }

    /// The largest of all elements; the gradient goes to the first of equal ones.
    public func max() -> Tensor { flattened().max(axis: 0).values }

    /// The smallest of all elements; the gradient goes to the first of equal ones.
    public func min() -> Tensor { flattened().min(axis: 0).values }

    /// Where the largest element along an axis is; the first of equal ones.
    public func argmax(axis: Int, keepDims: Bool = false) -> IntTensor {
        let axis = resolveAxis(axis, of: shape, "argmax")
        return IntTensor(places("argmax", axis) { $0 > $1 }, shape: reducedShape(axis, keepDims))
    }

    /// Where the largest of all elements is, counted in row-major order.
    public func argmax() -> IntTensor { detached.viewed(as: [count]).argmax(axis: 0) }

    /// The index of the largest element of each row (the last axis); the first of equal ones.
    package func argmaxOfRows() -> [Int32] { argmax(axis: -1).values }

    private func extrema(
        _ name: String, _ axis: Int, _ keepDims: Bool, better: (Float, Float) -> Bool
    ) -> (values: Tensor, indices: IntTensor) {
        let axis = resolveAxis(axis, of: shape, name)
        let blocks = AxisBlocks(shape, axis: axis)
        let found = places(name, axis, better: better)
        /// Where the elements lie, in the order of the results.
        let sources = found.enumerated().map { index, place in
            (index / blocks.inner * blocks.size + Int(place)) * blocks.inner + index % blocks.inner
        }
        let result = Tensor.unfilled(reducedShape(axis, keepDims))
        for (index, source) in sources.enumerated() { unsafe result.base[index] = base[source] }
        let values = recording(name, result) { [shape] dy in
            let dx = Tensor.zeros(shape)
            for (index, source) in sources.enumerated() { unsafe dx.base[source] = dy.base[index] }
            return dx
        }
        return (values, IntTensor(found, shape: result.shape))
    }

    private func places(_ name: String, _ axis: Int, better: (Float, Float) -> Bool) -> [Int32] {
        let blocks = AxisBlocks(shape, axis: axis)
        require(
            blocks.size > 0 || count > 0 || blocks.outer * blocks.inner == 0,
            "\(name): axis \(axis) of shape \(shape) is empty")
        var found: [Int32] = []
        found.reserveCapacity(blocks.outer * blocks.inner)
        for outer in 0..<blocks.outer {
            for inner in 0..<blocks.inner {
                let first = unsafe base + outer * blocks.size * blocks.inner + inner
                var (best, place) = unsafe (first[0], 0)
                for index in 1..<blocks.size {
                    let value = unsafe first[index * blocks.inner]
                    if better(value, best) || value.isNaN && !best.isNaN { (best, place) = (value, index) }
                }
                found.append(Int32(place))
            }
        }
        return found
    }

    private func reducedShape(_ axis: Int, _ keepDims: Bool) -> [Int] {
        shape.enumerated().compactMap { $0 != axis ? $1 : keepDims ? 1 : nil }
    }
}
