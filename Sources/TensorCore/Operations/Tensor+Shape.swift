extension Tensor {
    /// The same elements under another shape.
    public func reshaped(_ shape: [Int]) -> Tensor {
        require(shape.reduce(1, *) == count, "reshaped: shape \(self.shape) does not hold the elements of \(shape)")
        let old = self.shape
        return Tensor.recorded("reshaped", inputs: [self], results: [detached.viewed(as: shape)]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.send(dy.detached.viewed(as: old), to: origin)
        }[0]
    }

    /// Element `index` of the first axis, which goes away.
    public subscript(index: Int) -> Tensor {
        require(
            !shape.isEmpty && index >= 0 && index < shape[0], "subscript: \(index) is outside the first axis of \(shape)")
        let inner = Array(shape.dropFirst())
        let size = inner.reduce(1, *)
        let part = Tensor(shape: inner, storage: storage, offset: offset + index * size)
        return Tensor.recorded("subscript", inputs: [self], results: [part]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            let dx = Tensor.zeros(shape)
            unsafe (dx.base + index * size).update(from: dy.base, count: size)
            pass.send(dx, to: origin)
        }[0]
    }

    /// Columns `range` of the last axis.
    public func columns(_ range: Range<Int>) -> Tensor {
        let width = shape.last ?? 0
        require(
            range.lowerBound >= 0 && range.upperBound <= width, "columns: \(range) is outside the last axis of \(shape)")
        let rows = width == 0 ? 0 : count / width
        let part = Tensor(shape: shape.dropLast() + [range.count], storage: Storage(count: rows * range.count))
        for row in 0..<rows {
            unsafe (part.base + row * range.count).update(from: base + row * width + range.lowerBound, count: range.count)
        }
        return Tensor.recorded("columns", inputs: [self], results: [part]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            let dx = Tensor.zeros(shape)
            for row in 0..<rows {
                unsafe (dx.base + row * width + range.lowerBound).update(from: dy.base + row * range.count, count: range.count)
            }
            pass.send(dx, to: origin)
        }[0]
    }

    /// Tensors of one shape, one after another along a new first axis.
    public static func stack(_ parts: [Tensor]) -> Tensor {
        require(!parts.isEmpty, "stack: nothing to stack")
        let shape = parts[0].shape
        let size = shape.reduce(1, *)
        let whole = Tensor(shape: [parts.count] + shape, storage: Storage(count: parts.count * size))
        for (index, part) in parts.enumerated() {
            require(part.shape == shape, "stack: shapes \(shape) and \(part.shape) differ")
            unsafe (whole.base + index * size).update(from: part.base, count: size)
        }
        return recorded("stack", inputs: parts, results: [whole]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            for (index, part) in parts.enumerated() {
                pass.send(
                    Tensor(shape: shape, storage: dy.storage, offset: dy.offset + index * size), to: part.origin)
            }
        }[0]
    }
}

extension Tensor {
    /// The index of the largest element of each row (the last axis); the first of equal ones.
    package func argmaxOfRows() -> [Int32] {
        let width = shape.last ?? 0
        let values = self.values
        return stride(from: 0, to: values.count, by: max(width, 1)).map { start in
            var best = 0
            for column in 1..<max(width, 1) where values[start + column] > values[start + best] { best = column }
            return Int32(best)
        }
    }
}
