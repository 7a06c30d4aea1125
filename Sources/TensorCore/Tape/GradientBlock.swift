/// A parameter's gradient where it lies: whole, or by rows of a table whose other rows are zero.
///
/// A table is never written out: its pieces are put together while they are read, in memory that stays in the cache.
package struct GradientBlock: Sendable {
    package let count: Int
    private enum Place {
        case whole(Storage, offset: Int)
        case rows(RowGradient)
    }
    private let place: Place

    package init(storage: Storage, offset: Int, count: Int) {
        require(
            offset >= 0 && count >= 0 && offset <= storage.count - count,
            "GradientBlock: \(count) floats at \(offset) of a block of \(storage.count)")
        self.count = count
        place = .whole(storage, offset: offset)
    }

    /// - Parameter count: floats of the whole table.
    package init(table rows: RowGradient, count: Int) {
        require(
            rows.rows.isEmpty || (Int(rows.rows.last ?? 0) + 1) * rows.width <= count,
            "GradientBlock: row \(rows.rows.last ?? 0) of \(rows.width) floats in a table of \(count)")
        self.count = count
        place = .rows(rows)
    }

    /// Hands over the gradient in pieces of `length` floats, the last one shorter, with the first float's place among all.
    ///
    /// - Parameter skipsZeros: leaves out pieces of a table without any of its rows.
    package func forEachPiece(
        of length: Int, skipsZeros: Bool, _ body: (_ first: Int, _ piece: UnsafeBufferPointer<Float>) -> Void
    ) {
        switch place {
        case .whole(let storage, let offset):
            for first in stride(from: 0, to: count, by: length) {
                unsafe body(
                    first,
                    UnsafeBufferPointer(start: storage.base + offset + first, count: min(length, count - first)))
            }
        case .rows(let gradient):
            let scratch = Storage(count: min(length, count))
            // The first row that may reach into the piece.
            var next = 0
            for first in stride(from: 0, to: count, by: length) {
                let piece = first..<min(first + length, count)
                next = gradient.firstRow(from: next, reachingPast: piece.lowerBound)
                let hasRows = gradient.begins(next, before: piece.upperBound)
                if !hasRows, skipsZeros { continue }
                gradient.write(piece, from: next, to: scratch)
                unsafe body(first, UnsafeBufferPointer(start: scratch.base, count: piece.count))
            }
        }
    }
}

extension RowGradient {
    /// The first row from the one at `index` on that ends behind float `place` of the table.
    fileprivate func firstRow(from index: Int, reachingPast place: Int) -> Int {
        var index = index
        while index < rows.count, (Int(rows[index]) + 1) * width <= place { index += 1 }
        return index
    }

    fileprivate func begins(_ index: Int, before place: Int) -> Bool {
        index < rows.count && Int(rows[index]) * width < place
    }

    /// Writes some floats of the table: zero where there is no row.
    ///
    /// - Parameter index: the first row that reaches into them.
    fileprivate func write(_ piece: Range<Int>, from index: Int, to scratch: Storage) {
        unsafe scratch.base.update(repeating: 0, count: piece.count)
        var index = index
        while begins(index, before: piece.upperBound) {
            let row = Int(rows[index]) * width
            let part = max(row, piece.lowerBound)..<min(row + width, piece.upperBound)
            unsafe (scratch.base + part.lowerBound - piece.lowerBound).update(
                from: values.base + index * width + part.lowerBound - row, count: part.count)
            index += 1
        }
    }
}
