internal import CKernels

extension Tensor {
    /// The elements of an axis that the indices name, in their order; an element may come several times.
    ///
    /// Its gradient is then the sum, added in the order of the indices.
    ///
    /// - Parameter indices: a vector `[N]`, each in `0..<size`.
    /// - Returns: self's shape with N along the axis.
    public func indexSelect(_ indices: IntTensor, axis: Int = 0) -> Tensor {
        let axis = resolveAxis(axis, of: shape, "indexSelect")
        require(
            indices.shape.count == 1 && !shape.isEmpty,
            "indexSelect: indices of shape \(indices.shape) on shape \(shape); expected a vector of them, and no scalar"
        )
        let blocks = AxisBlocks(shape, axis: axis)
        for index in indices.values {
            require(
                index >= 0 && index < blocks.size, "indexSelect: \(index) is outside axis \(axis) of shape \(shape)")
        }
        let (places, inner) = (indices.values.map { Int($0) * blocks.inner }, blocks.inner)
        let (whole, run) = (blocks.size * inner, places.count * inner)
        var taken = shape
        taken[axis] = places.count
        let result = Tensor.unfilled(taken)
        for outer in 0..<blocks.outer {
            let (from, to) = unsafe (base + outer * whole, result.base + outer * run)
            for (number, place) in places.enumerated() {
                unsafe (to + number * inner).update(from: from + place, count: inner)
            }
        }
        return recording("indexSelect", result) { [shape] dy in
            let dx = Tensor.zeros(shape)
            for outer in 0..<blocks.outer {
                let (from, to) = unsafe (dy.base + outer * run, dx.base + outer * whole)
                for (number, place) in places.enumerated() { unsafe ck_add(inner, from + number * inner, to + place) }
            }
            return dx
        }
    }

    /// One element of each row (the last axis): where `columns` is negative, 0 and no gradient.
    ///
    /// - Parameter columns: one a row.
    /// - Returns: self's shape without the last axis.
    package func picked(_ columns: [Int32]) -> Tensor {
        let (width, rows) = (shape.last ?? 0, shape.dropLast().reduce(1, *))
        require(columns.count == rows, "picked: \(columns.count) columns for the rows of shape \(shape)")
        for column in columns {
            require(column < width, "picked: \(column) is outside the last axis of shape \(shape)")
        }
        let result = Tensor.zeros(shape.dropLast())
        for (row, column) in columns.enumerated() where column >= 0 {
            unsafe result.base[row] = base[row * width + Int(column)]
        }
        return recording("picked", result) { [shape] dy in
            let dx = Tensor.zeros(shape)
            for (row, column) in columns.enumerated() where column >= 0 {
                unsafe dx.base[row * width + Int(column)] = dy.base[row]
            }
            return dx
        }
    }

    /// 1 at the class that each index names, 0 elsewhere.
    ///
    /// - Returns: `[…, V]` for indices `[…]`, V = `numClasses`.
    public static func oneHot(_ indices: IntTensor, numClasses: Int) -> Tensor {
        require(
            numClasses > 0,
            "oneHot: \(numClasses) classes for indices of shape \(indices.shape); expected a positive number")
        let result = zeros(indices.shape + [numClasses])
        for (row, index) in indices.values.enumerated() {
            require(
                index >= 0 && index < numClasses,
                "oneHot: \(index) among indices of shape \(indices.shape) is outside \(numClasses) classes")
            unsafe result.base[row * numClasses + Int(index)] = 1
        }
        return result
    }
}
