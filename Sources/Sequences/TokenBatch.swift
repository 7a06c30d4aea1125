/// The token sequences of one step, time-major: element (t, b) is at t · rows + b.
package struct TokenBatch: Sendable, Equatable {
    /// T.
    package let steps: Int
    /// B.
    package let rows: Int
    /// `[T, B]`, indices into the vocabulary.
    package let inputs: [Int32]
    /// `[T, B]`, the index that should follow; −1 where nothing is counted.
    package let targets: [Int32]
    /// Whether carried state is zero before this batch: it opens an epoch of streams, or its source carries none.
    package let startsStream: Bool

    package init(steps: Int, rows: Int, inputs: [Int32], targets: [Int32], startsStream: Bool = true) {
        precondition(
            steps > 0 && rows > 0 && inputs.count == steps * rows && targets.count == steps * rows,
            "TokenBatch: \(inputs.count) inputs and \(targets.count) targets for [T, B] = [\(steps), \(rows)]")
        self.steps = steps
        self.rows = rows
        self.inputs = inputs
        self.targets = targets
        self.startsStream = startsStream
    }

    /// How many targets count towards the loss.
    package var countedTargets: Int {
        targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) }
    }

    /// Some neighbouring sequences of the batch, such as those of one shard.
    package func rows(_ range: Range<Int>) -> TokenBatch {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= rows && !range.isEmpty,
            "TokenBatch.rows: \(range) of \(rows) rows")
        if range.count == rows { return self }
        func columns(_ elements: [Int32]) -> [Int32] {
            var columns: [Int32] = []
            columns.reserveCapacity(steps * range.count)
            for start in stride(from: 0, to: elements.count, by: rows) {
                columns += elements[start + range.lowerBound..<start + range.upperBound]
            }
            return columns
        }
        return TokenBatch(
            steps: steps, rows: range.count, inputs: columns(inputs), targets: columns(targets),
            startsStream: startsStream)
    }

    /// How many rows are predicted right at every counted position.
    ///
    /// With `predictions` the likeliest symbol at each position given the true symbols before it, this is the number of
    /// answers that greedy decoding gets exactly right: as long as it has made no mistake, greedy decoding has the true
    /// symbols before it.
    ///
    /// - Parameter predictions: `[T, B]`, time-major.
    package func exactRows(_ predictions: [Int32]) -> Int {
        precondition(
            predictions.count == targets.count,
            "exactRows: \(predictions.count) predictions for [T, B] = [\(steps), \(rows)]")
        var exact = [Bool](repeating: true, count: rows)
        for position in targets.indices where targets[position] >= 0 && targets[position] != predictions[position] {
            exact[position % rows] = false
        }
        return exact.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
}

extension TokenBatch {
    /// Lines in which each symbol is predicted from those before it, padded to a common length.
    ///
    /// - Parameters:
    ///   - lines: one a row; from 2 to `steps` + 1 symbols each.
    ///   - firstCounted: for each line, the position of the first symbol whose prediction counts.
    ///   - padding: the input beyond the end of a line; the target there is −1.
    init(lines: [[Int32]], firstCounted: [Int], steps: Int, padding: Int32) {
        let rows = lines.count
        var inputs = [Int32](repeating: padding, count: steps * rows)
        var targets = [Int32](repeating: -1, count: steps * rows)
        for (row, line) in lines.enumerated() {
            precondition(
                line.count > 1 && line.count <= steps + 1,
                "TokenBatch: a line of \(line.count) symbols in \(steps) steps")
            for time in 0..<line.count - 1 {
                inputs[time * rows + row] = line[time]
                if time + 1 >= firstCounted[row] { targets[time * rows + row] = line[time + 1] }
            }
        }
        self.init(steps: steps, rows: rows, inputs: inputs, targets: targets)
    }
}

/// Batches that are made when they are asked for.
package struct TokenBatches: RandomAccessCollection, Sendable {
    package let count: Int
    private let make: @Sendable (Int) -> TokenBatch

    package init(count: Int, _ make: @escaping @Sendable (Int) -> TokenBatch) {
        self.count = count
        self.make = make
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    package subscript(index: Int) -> TokenBatch {
        precondition(index >= 0 && index < count, "TokenBatches: batch \(index) of \(count)")
        return make(index)
    }
}
