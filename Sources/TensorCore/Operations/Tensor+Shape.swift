extension Tensor {
    /// The same elements under another shape; one size may be −1 and follows from the others.
    public func reshaped(_ shape: [Int]) -> Tensor {
        let known = shape.filter { $0 != -1 }.reduce(1, *)
        let free = shape.count { $0 == -1 }
        let wanted = shape.map { $0 == -1 && known > 0 ? count / known : $0 }
        require(
            free <= 1 && wanted.allSatisfy { $0 >= 0 } && wanted.reduce(1, *) == count,
            "reshaped: shape \(self.shape) does not hold the elements of \(shape)")
        return viewed("reshaped", as: wanted)
    }

    /// Without the axes of size 1.
    public func squeezed() -> Tensor { viewed("squeezed", as: shape.filter { $0 != 1 }) }

    /// Without the axis, if its size is 1; otherwise as it is.
    public func squeezed(_ axis: Int) -> Tensor {
        let axis = resolveAxis(axis, of: shape, "squeezed")
        guard axis < shape.count, shape[axis] == 1 else { return self }
        return viewed("squeezed", as: Array(shape[..<axis] + shape[(axis + 1)...]))
    }

    /// With a new axis of size 1 at place `axis` of the result.
    public func unsqueezed(_ axis: Int) -> Tensor {
        let place = resolveAxis(axis, of: shape + [1], "unsqueezed")
        return viewed("unsqueezed", as: shape[..<place] + [1] + shape[place...])
    }

    /// Axes `first...last` made one, by default all.
    public func flattened(from first: Int = 0, to last: Int = -1) -> Tensor {
        let (start, end) = (resolveAxis(first, of: shape, "flattened"), resolveAxis(last, of: shape, "flattened"))
        require(start <= end, "flattened: axis \(first) of shape \(shape) comes after axis \(last)")
        if shape.isEmpty { return viewed("flattened", as: [1]) }
        return viewed("flattened", as: shape[..<start] + [shape[start...end].reduce(1, *)] + shape[(end + 1)...])
    }

    /// Axis i of the result is axis `axes[i]` of self. Copies.
    public func permuted(_ axes: [Int]) -> Tensor {
        let order = resolveAxes(axes, of: shape, "permuted")
        require(order.count == shape.count, "permuted: axes \(axes) are not all of shape \(shape)")
        if order == Array(shape.indices) { return self }
        var inverse = order
        for (place, axis) in order.enumerated() { inverse[axis] = place }
        return recording("permuted", inOrder(order)) { $0.inOrder(inverse) }
    }

    /// Two axes exchanged. Copies.
    public func transposed(_ first: Int, _ second: Int) -> Tensor {
        let (a, b) = (resolveAxis(first, of: shape, "transposed"), resolveAxis(second, of: shape, "transposed"))
        var order = Array(shape.indices)
        if !order.isEmpty { order.swapAt(a, b) }
        return permuted(order)
    }

    private func inOrder(_ axes: [Int]) -> Tensor {
        let strides = rowMajorStrides(shape)
        return strided(axes.map { shape[$0] }, axes.map { strides[$0] })
    }

    /// The same memory under another shape, recorded.
    func viewed(_ name: String, as shape: [Int]) -> Tensor {
        recording(name, detached.viewed(as: shape)) { [old = self.shape] dy in dy.detached.viewed(as: old) }
    }
}
