internal import TensorCore

/// Recurrent state as it travels between processes: row after row of the batch, each `[L, H]` hidden and, for an LSTM, `[L, H]` cell.
///
/// Rows are kept whole, so that the state of a range of rows is a slice.
package struct CarriedState: Sendable, Equatable {
    /// Floats a row, `ModelDescription.stateSize`.
    package let rowSize: Int
    package var values: [Float]

    package init(rowSize: Int, values: [Float]) {
        require(
            rowSize > 0 && values.count % rowSize == 0,
            "CarriedState: \(values.count) floats are not rows of \(rowSize)")
        self.rowSize = rowSize
        self.values = values
    }

    package static func zeros(rows: Int, of description: ModelDescription) -> CarriedState {
        CarriedState(
            rowSize: description.stateSize, values: Array(repeating: 0, count: rows * description.stateSize))
    }

    package var rows: Int { values.count / rowSize }

    /// What it is called where it is the part of a step that is not finite.
    static let part = "the carried state"

    var isFinite: Bool { unsafe values.span.bytes.areFiniteFloats }

    package subscript(rows: Range<Int>) -> CarriedState {
        CarriedState(rowSize: rowSize, values: Array(values[rows.lowerBound * rowSize..<rows.upperBound * rowSize]))
    }

    /// Puts the state of some rows into its place.
    package mutating func replace(from row: Int, with part: CarriedState) {
        require(
            part.rowSize == rowSize && row + part.rows <= rows,
            "CarriedState: \(part.rows) rows of \(part.rowSize) do not fit at row \(row) of \(rows) rows of \(rowSize)")
        values.replaceSubrange(row * rowSize..<(row + part.rows) * rowSize, with: part.values)
    }

    /// As the model's layers take it.
    package func tensors(_ description: ModelDescription) -> RecurrentState {
        let (layers, hidden) = (description.numLayers, description.hiddenSize)
        func transposed(_ part: Int) -> Tensor {
            var result = [Float](repeating: 0, count: layers * rows * hidden)
            for row in 0..<rows {
                for layer in 0..<layers {
                    let from = row * rowSize + (part * layers + layer) * hidden
                    let to = (layer * rows + row) * hidden
                    result.replaceSubrange(to..<to + hidden, with: values[from..<from + hidden])
                }
            }
            return Tensor(result, shape: [layers, rows, hidden])
        }
        return RecurrentState(hidden: transposed(0), cell: description.cell == .lstm ? transposed(1) : nil)
    }

    /// What the model's layers returned.
    package init(_ state: RecurrentState, _ description: ModelDescription) {
        let (layers, hidden) = (description.numLayers, description.hiddenSize)
        let rows = state.hidden.shape[1]
        var values = [Float](repeating: 0, count: rows * description.stateSize)
        for (part, tensor) in [state.hidden, state.cell].compactMap({ $0?.values }).enumerated() {
            for layer in 0..<layers {
                for row in 0..<rows {
                    let from = (layer * rows + row) * hidden
                    let to = row * description.stateSize + (part * layers + layer) * hidden
                    values.replaceSubrange(to..<to + hidden, with: tensor[from..<from + hidden])
                }
            }
        }
        self.init(rowSize: description.stateSize, values: values)
    }
}
