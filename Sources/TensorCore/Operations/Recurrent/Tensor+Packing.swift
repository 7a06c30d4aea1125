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
}
