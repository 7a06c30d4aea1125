extension Tensor {
    /// Element `index` of the first axis, which goes away; negative ones count from the end.
    public subscript(index: Int) -> Tensor { part("subscript", index, axis: 0) }

    /// Elements `range` of the first axis; see `sliced(_:axis:)`.
    public subscript(range: Range<Int>) -> Tensor { sliced(range, axis: 0) }

    /// Element `index` of an axis, which goes away; negative ones count from the end.
    public func selected(_ index: Int, axis: Int) -> Tensor { part("selected", index, axis: axis) }

    /// Elements `range` of an axis. With a negative lower bound both bounds count from the end: `-3..<0` is the last three.
    public func sliced(_ range: Range<Int>, axis: Int) -> Tensor { slice("sliced", range, axis: axis) }

    /// Elements `from` up to but without `to` of an axis, as Python's `x[from:to]`: negative bounds count from the end, and bounds
    /// outside are moved to the end that they passed.
    public func sliced(from: Int = 0, to: Int? = nil, axis: Int) -> Tensor {
        let axis = resolveAxis(axis, of: shape, "sliced")
        let size = axis < shape.count ? shape[axis] : 0
        func place(_ bound: Int) -> Int { Swift.min(Swift.max(bound < 0 ? bound + size : bound, 0), size) }
        let first = place(from)
        return slice("sliced", first..<Swift.max(first, place(to ?? size)), axis: axis)
    }

    /// Columns `range` of the last axis.
    public func columns(_ range: Range<Int>) -> Tensor { slice("columns", range, axis: -1) }

    /// Pieces of the given sizes along an axis.
    public func split(sizes: [Int], axis: Int = 0) -> [Tensor] {
        let axis = resolveAxis(axis, of: shape, "split")
        let blocks = AxisBlocks(shape, axis: axis)
        require(
            !shape.isEmpty && sizes.allSatisfy { $0 >= 0 } && sizes.reduce(0, +) == blocks.size,
            "split: sizes \(sizes) do not add up to axis \(axis) of shape \(shape)")
        var ranges: [Range<Int>] = []
        for size in sizes { ranges.append((ranges.last?.upperBound ?? 0)..<(ranges.last?.upperBound ?? 0) + size) }
        let parts = ranges.map { detached.slice("split", $0, axis: axis) }
        return Tensor.recorded("split", inputs: [self], results: parts) { [shape, origin] pass, cotangents in
            let dx = Tensor.zeros(shape)
            for (range, dy) in zip(ranges, cotangents) {
                if let dy { dx.replace(range, of: blocks, by: dy) }
            }
            pass.send(dx, to: origin)
        }
    }

    /// Pieces of `size` along an axis, the last one smaller where it does not divide.
    public func split(_ size: Int, axis: Int = 0) -> [Tensor] {
        require(size > 0, "split: pieces of \(size) of shape \(shape)")
        let whole = AxisBlocks(shape, axis: resolveAxis(axis, of: shape, "split")).size
        if whole == 0 { return split(sizes: [0], axis: axis) }
        return split(sizes: stride(from: 0, to: whole, by: size).map { Swift.min(size, whole - $0) }, axis: axis)
    }

    /// At most `count` pieces of one size along an axis, the last one smaller; fewer when rounding the size up leaves none for the last.
    public func chunk(_ count: Int, axis: Int = 0) -> [Tensor] {
        require(count > 0, "chunk: \(count) pieces of shape \(shape)")
        let whole = AxisBlocks(shape, axis: resolveAxis(axis, of: shape, "chunk")).size
        if whole == 0 { return split(sizes: Array(repeating: 0, count: count), axis: axis) }
        return split((whole + count - 1) / count, axis: axis)
    }

    private func part(_ name: String, _ index: Int, axis: Int) -> Tensor {
        let axis = resolveAxis(axis, of: shape, name)
        let size = axis < shape.count ? shape[axis] : 0
        require(
            index >= -size && index < size, "\(name): \(index) is outside axis \(axis) of shape \(shape)")
        let place = index < 0 ? index + size : index
        let blocks = AxisBlocks(shape, axis: axis)
        let result = detached.slice(name, place..<place + 1, axis: axis)
            .viewed(as: Array(shape[..<axis] + shape[(axis + 1)...]))
        return recording(name, result) { [shape] dy in
            let dx = Tensor.zeros(shape)
            dx.replace(place..<place + 1, of: blocks, by: dy)
            return dx
        }
    }

    private func slice(_ name: String, _ range: Range<Int>, axis: Int) -> Tensor {
        let axis = resolveAxis(axis, of: shape, name)
        let blocks = AxisBlocks(shape, axis: axis)
        let shift = range.lowerBound < 0 ? blocks.size : 0
        let (lower, upper) = (range.lowerBound + shift, range.upperBound + shift)
        require(
            !shape.isEmpty && lower >= 0 && upper <= blocks.size,
            "\(name): \(range) is outside axis \(axis) of shape \(shape)")
        let taken = shape[..<axis] + [upper - lower] + shape[(axis + 1)...]
        let result: Tensor
        if blocks.outer == 1 {
            // One block: the values stay where they are.
            result = Tensor(shape: Array(taken), storage: storage, offset: offset + lower * blocks.inner)
        } else {
            result = Tensor.unfilled(Array(taken))
            let run = (upper - lower) * blocks.inner
            for outer in 0..<blocks.outer {
                let from = unsafe base + (outer * blocks.size + lower) * blocks.inner
                unsafe (result.base + outer * run).update(from: from, count: run)
            }
        }
        return recording(name, result) { [shape] dy in
            let dx = Tensor.zeros(shape)
            dx.replace(lower..<upper, of: blocks, by: dy)
            return dx
        }
    }

    /// Writes `values` over elements `range` of an axis; for tensors that nobody else has seen.
    private func replace(_ range: Range<Int>, of blocks: AxisBlocks, by values: Tensor) {
        let run = range.count * blocks.inner
        for outer in 0..<blocks.outer {
            let to = unsafe base + (outer * blocks.size + range.lowerBound) * blocks.inner
            unsafe to.update(from: values.base + outer * run, count: run)
        }
    }
}
