import TensorCore
import Testing

/// A table between two weights, looked up in one or several ways, with its gradient kept whole or as rows.
private struct Lookups {
    let table: Parameter
    let first: Parameter
    let last: Parameter
    let unused: Parameter
    let layout: ParameterLayout
    let options: EmbeddingOptions
    let tokens: [IntTensor]
    let cotangents: [Tensor]
    let batch = 8
    let width = 17

    /// - Parameter steps: T of each lookup.
    init(sparse: Bool, steps: [Int], options: EmbeddingOptions) {
        var numbers = TestNumbers(seed: 51)
        self.options = options
        table = Parameter(numbers.values(11 * width), shape: [11, width], sparseGradient: sparse)
        unused = Parameter(numbers.values(6), shape: [3, 2], sparseGradient: sparse)
        first = numbers.parameter([5, width])
        last = numbers.parameter([5])
        layout = ParameterLayout([("first", first), ("table", table), ("last", last), ("unused", unused)])
        let batch = batch
        let width = width
        // Half of the tokens are one of two, so that some rows are in all shards and some in one.
        tokens = steps.map { steps in
            IntTensor(
                numbers.values(steps * batch).map { $0 < 0 ? Int32(($0 + 1) * 2) : Int32($0 * 10.99) },
                shape: [steps, batch])
        }
        // Negative zeros, and numbers that become one when they are divided.
        cotangents = steps.map { steps in
            Tensor(
                numbers.values(steps * batch * width).map {
                    abs($0) < 0.1 ? -Float.leastNonzeroMagnitude : abs($0) < 0.2 ? -0.0 : $0
                }, shape: [steps, batch, width])
        }
    }

    /// All gradients by group, in the layout's order.
    func gradients(shards: [Range<Int>], groups: [Int]) -> [[UInt32]] {
        let sums = groups.map { _ in Storage(Array(repeating: Float.nan, count: layout.denseCount)) }
        let sink = ShardedGradients(layout: layout, groups: groups, sums: sums)
        var loss: Tensor?
        for (tokens, cotangent) in zip(tokens, cotangents) {
            let looked = Tensor.embedding(tokens, weight: table, options: options)
            let projected = looked.linear(weight: first, bias: last).sum()
            let part = weighted(looked, cotangent) + projected * Tensor(0)
            loss = loss.map { $0 + part } ?? part
        }
        loss?.backward(cotangent: Tensor(1), shards: ShardLayout(rows: batch, ranges: shards), into: sink)
        return zip(sums, sink.tables).map { sum, tables in
            layout.gradients(dense: sum, tables: tables).flatMap { block in
                var all: [UInt32] = []
                unsafe block.forEachPiece(of: 5, skipsZeros: false) { first, piece in
                    #expect(first == all.count)
                    all += unsafe piece.map(\.bitPattern)
                }
                #expect(all.count == block.count)
                return all
            }
        }
    }
}

@Suite struct `Gradients by rows` {
    private static let shards: [[Range<Int>]] = [
        (0..<8).map { $0..<$0 + 1 },
        [0..<3, 3..<3, 3..<4, 4..<4, 4..<4, 4..<7, 7..<8, 8..<8],
    ]

    @Test(
        arguments: [[5], [3, 2], [1, 4, 2], [0, 3], [3, 0], [0]], [[8], [4, 2, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1]])
    func `summed over shards have the bits of whole tables`(steps: [Int], groups: [Int]) {
        for shards in Self.shards {
            for options in [
                EmbeddingOptions(), EmbeddingOptions(paddingIndex: 1),
                EmbeddingOptions(scalesGradientByFrequency: true),
                EmbeddingOptions(paddingIndex: 2, scalesGradientByFrequency: true),
            ] {
                let dense = Lookups(sparse: false, steps: steps, options: options)
                let sparse = Lookups(sparse: true, steps: steps, options: options)
                #expect(sparse.layout.denseCount < sparse.layout.count && dense.layout.denseCount == dense.layout.count)
                let expected = dense.gradients(shards: shards, groups: groups)
                let found = sparse.gradients(shards: shards, groups: groups)
                let isEqual = found == expected
                #expect(isEqual, "\(options), shards \(shards)")
                #expect(steps == [0] || expected.contains { $0.contains { $0 & 0x7FFF_FFFF != 0 } })
            }
        }
    }

    @Test func `hold the rows that were looked up, ascending, and no others`() {
        let table = Parameter(Array(repeating: 1, count: 12), shape: [6, 2], sparseGradient: true)
        let layout = ParameterLayout([("table", table)])
        let sink = ShardedGradients(layout: layout, groups: [2], sums: [Storage(count: 0)])
        let looked = Tensor.embedding(IntTensor([4, 0, 4, 2], shape: [2, 2]), weight: table)
        weighted(looked, Tensor([1, 2, 3, 4, 5, 6, 7, 8], shape: [2, 2, 2]))
            .backward(cotangent: Tensor(1), shards: ShardLayout(rows: 2, ranges: [0..<1, 1..<2]), into: sink)
        let rows = sink.tables[0][0]
        #expect(rows.rows == [0, 2, 4] && rows.width == 2)
        #expect(Tensor(shape: [6], storage: rows.values).values == [3, 4, 7, 8, 6, 8])
    }

    @Test func `are added row by row, a missing one as zero`() {
        let left = RowGradient(rows: [0, 3], width: 2, values: Storage([1, -0.0, 2, 3]))
        let right = RowGradient(rows: [1, 3], width: 2, values: Storage([-0.0, 5, 10, -3]))
        let sum = left + right
        #expect(sum.rows == [0, 1, 3])
        let values = Tensor(shape: [6], storage: sum.values).values
        #expect(values.map(\.bitPattern) == ([1, 0, 0, 5, 12, 0] as [Float]).map(\.bitPattern))
        let empty = RowGradient.empty(width: 2) + RowGradient.empty(width: 2)
        #expect(empty.rows.isEmpty)
    }
}

@Suite struct `A table's gradient in pieces` {
    @Test(arguments: [[], [0], [6], [0, 1, 2, 3, 4, 5, 6], [1, 5]] as [[Int32]], [1, 2, 3, 7, 20, 100])
    func `is the whole table's, and only zeros are left out`(rows: [Int32], length: Int) {
        let (height, width) = (7, 3)
        let values = (0..<rows.count * width).map { Float($0) - 4.5 }
        let gradient = RowGradient(rows: rows, width: width, values: Storage(values))
        let whole = Storage(count: height * width)
        unsafe gradient.expand(into: whole.base, count: whole.count)
        let expected = unsafe Array(whole.floats)
        let block = GradientBlock(table: gradient, count: height * width)
        for skipsZeros in [false, true] {
            var seen = [Float](repeating: 0, count: height * width)
            var covered = 0
            unsafe block.forEachPiece(of: length, skipsZeros: skipsZeros) { first, piece in
                #expect(first % length == 0)
                covered += piece.count
                for index in piece.indices { seen[first + index] = unsafe piece[index] }
                if skipsZeros { #expect(unsafe piece.contains { $0 != 0 }) }
            }
            #expect(seen == expected)
            if !skipsZeros { #expect(covered == height * width) }
        }
    }
}
