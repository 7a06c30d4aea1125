internal import CKernels

/// The gradient of a table of which only some rows were looked up: those rows alone.
///
/// Sums have the bits that sums of whole tables would have: a row that only one side has gets the other's zero added.
package struct RowGradient: Sendable {
    /// Ascending.
    package let rows: [Int32]
    /// E.
    package let width: Int
    /// `[n, E]`
    package let values: Storage

    /// - Parameter values: one row of `width` floats for each of `rows`, which ascend.
    package init(rows: [Int32], width: Int, values: Storage) {
        require(
            values.count >= rows.count * width, "RowGradient: \(values.count) floats for \(rows.count) rows of \(width)"
        )
        self.rows = rows
        self.width = width
        self.values = values
    }

    package static func empty(width: Int) -> RowGradient {
        RowGradient(rows: [], width: width, values: Storage(count: 0))
    }

    /// left + right, row by row.
    package static func + (left: RowGradient, right: RowGradient) -> RowGradient {
        var rows: [Int32] = []
        rows.reserveCapacity(left.rows.count + right.rows.count)
        let width = left.width
        let values = Storage(count: (left.rows.count + right.rows.count) * width)
        var (i, j) = (0, 0)
        while i < left.rows.count || j < right.rows.count {
            let (a, b) = (i < left.rows.count ? left.rows[i] : .max, j < right.rows.count ? right.rows[j] : .max)
            let destination = unsafe values.base + rows.count * width
            rows.append(min(a, b))
            unsafe destination.update(repeating: 0, count: width)
            if a <= b {
                unsafe ck_add(width, left.values.base + i * width, destination)
                i += 1
            }
            if b <= a {
                unsafe ck_add(width, right.values.base + j * width, destination)
                j += 1
            }
        }
        return RowGradient(rows: rows, width: width, values: values)
    }

    /// Writes the whole table: zero where there is no row.
    package func expand(into table: UnsafeMutablePointer<Float>, count: Int) {
        unsafe table.update(repeating: 0, count: count)
        for (place, row) in rows.enumerated() {
            unsafe (table + Int(row) * width).update(from: values.base + place * width, count: width)
        }
    }
}
