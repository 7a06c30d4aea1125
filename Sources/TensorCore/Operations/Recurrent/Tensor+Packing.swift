extension Tensor {
    /// Rows in another order, some left out, some filled in: packing, padding, and the exchange of time and batch.
    ///
    /// Every row of self may be named once at most, so that its gradient is a copy.
    ///
    /// - Parameters:
    ///   - sources: for each row of the result the row of self that it takes, or nil for one that is `fill` throughout.
    ///   - rowShape: how self falls into rows: its last axes. Self is `[…, rowShape]`.
    ///   - shape: the shape of the result.
    package func gatheringRows(_ sources: [Int?], rowShape: [Int], fill: Float = 0, shape: [Int]) -> Tensor {
        let width = rowShape.reduce(1, *)
        let whole = count
        require(
            shape.reduce(1, *) == sources.count * width && Array(self.shape.suffix(rowShape.count)) == rowShape,
            "gatheringRows: \(sources.count) rows of \(rowShape) from \(self.shape) do not fill the shape \(shape)")
        let result = Tensor(shape: shape, storage: Storage(count: sources.count * width))
        for (row, source) in sources.enumerated() {
            let destination = unsafe result.base + row * width
            if let source {
                unsafe destination.update(from: base + source * width, count: width)
            } else {
                unsafe destination.update(repeating: fill, count: width)
            }
        }
        let old = self.shape
        return Tensor.recorded("gatheringRows", inputs: [self], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            let named = sources.count { $0 != nil }
            let dx = Tensor(shape: old, storage: named * width == whole ? Storage(count: whole) : Storage(zeros: whole))
            for case (let row, let source?) in sources.enumerated() {
                unsafe (dx.base + source * width).update(from: dy.base + row * width, count: width)
            }
            pass.send(dx, to: origin)
        }[0]
    }

    /// `[B, T, …]` as `[T, B, …]`, and back.
    package var swappingFirstAxes: Tensor {
        require(shape.count >= 2, "swappingFirstAxes: shape \(shape) has fewer than two axes")
        let (rows, columns) = (shape[0], shape[1])
        let inner = Array(shape.dropFirst(2))
        guard rows != 1, columns != 1 else { return reshaped([columns, rows] + inner) }
        let sources = (0..<columns).flatMap { column in (0..<rows).map { row -> Int? in row * columns + column } }
        return gatheringRows(sources, rowShape: inner, shape: [columns, rows] + inner)
    }

    /// Tensors side by side along the last axis; all other axes agree.
    package static func joiningColumns(_ parts: [Tensor]) -> Tensor {
        require(!parts.isEmpty, "joiningColumns: nothing to join")
        let outer = Array(parts[0].shape.dropLast())
        let widths = parts.map { $0.shape.last ?? 0 }
        for part in parts {
            require(
                Array(part.shape.dropLast()) == outer, "joiningColumns: shapes \(parts[0].shape) and \(part.shape) differ before the last axis")
        }
        let (rows, width) = (outer.reduce(1, *), widths.reduce(0, +))
        let whole = Tensor(shape: outer + [width], storage: Storage(count: rows * width))
        func copyColumns(_ copy: (_ part: Int, _ row: Int, _ first: Int, _ width: Int) -> Void) {
            var first = 0
            for (part, partWidth) in widths.enumerated() {
                for row in 0..<rows { copy(part, row, row * width + first, partWidth) }
                first += partWidth
            }
        }
        copyColumns { part, row, place, width in
            unsafe (whole.base + place).update(from: parts[part].base + row * width, count: width)
        }
        return recorded("joiningColumns", inputs: parts, results: [whole]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            let gradients = parts.map { Tensor(shape: $0.shape, storage: Storage(count: $0.count)) }
            copyColumns { part, row, place, width in
                unsafe (gradients[part].base + row * width).update(from: dy.base + place, count: width)
            }
            for (part, gradient) in zip(parts, gradients) { pass.send(gradient, to: part.origin) }
        }[0]
    }
}
