import TensorCore
import Testing

/// A small model whose parameters take part in every kind of operation that keeps shards apart.
private struct Fixture {
    let table: Parameter
    let recurrent: RecurrentWeights
    let weight: Parameter
    let bias: Parameter
    let layout: ParameterLayout
    let tokens: [Int32]
    let targets: [Int32]
    let steps = 5
    let batch = 8

    init() {
        var numbers = TestNumbers(seed: 31)
        table = numbers.parameter([7, 5])
        recurrent = RecurrentWeights(
            inputHidden: numbers.parameter([4 * 17, 5]), hiddenHidden: numbers.parameter([4 * 17, 17]),
            biasInputHidden: numbers.parameter([4 * 17]), biasHiddenHidden: numbers.parameter([4 * 17]))
        weight = numbers.parameter([7, 17])
        bias = numbers.parameter([7])
        layout = ParameterLayout([
            ("embedding.weight", table), ("weight_ih_l0", recurrent.inputHidden),
            ("weight_hh_l0", recurrent.hiddenHidden),
            ("bias_ih_l0", recurrent.biasInputHidden!), ("bias_hh_l0", recurrent.biasHiddenHidden!), ("weight", weight),
            ("bias", bias),
        ])
        tokens = numbers.values(steps * batch).map { Int32(($0 + 1) * 3.4) }
        targets = numbers.values(steps * batch).map { Int32(($0 + 1) * 3.4) }
    }

    /// Gradient sums over rows `rows`, one block a group of shards.
    func gradients(rows: Range<Int>, shards: [Range<Int>], groups: [Int], twice: Bool = false) -> [[Float]] {
        func slice(_ all: [Int32]) -> [Int32] {
            (0..<steps).flatMap { time in all[time * batch + rows.lowerBound..<time * batch + rows.upperBound] }
        }
        let sums = groups.map { _ in Storage(count: layout.count) }
        let sink = ShardedGradients(layout: layout, groups: groups, sums: sums)
        let embedded = Tensor.embedding(IntTensor(slice(tokens), shape: [steps, rows.count]), weight: table)
        let (hidden, _, _) = Tensor.lstmLayer(embedded, initialHidden: nil, initialCell: nil, weights: recurrent)
        var logits = hidden.linear(weight: weight, bias: bias)
        if twice { logits = logits + hidden.tanh().linear(weight: weight, bias: bias) }
        logits.crossEntropy(slice(targets)).sum.backward(
            cotangent: Tensor(1), shards: ShardLayout(rows: rows.count, ranges: shards), into: sink)
        return sums.map { Tensor(shape: [layout.count], storage: $0).values }
    }
}

@Suite struct `Gradients of shards` {
    @Test(arguments: [false, true])
    func `are summed as if every shard had been computed alone and added in a tree`(twice: Bool) {
        let fixture = Fixture()
        let alone = (0..<8).map { row in
            fixture.gradients(rows: row..<row + 1, shards: [0..<1], groups: [1], twice: twice)[0]
        }
        func tree(_ leaves: ArraySlice<[Float]>) -> [Float] {
            guard leaves.count > 1 else { return leaves.first! }
            let middle = leaves.startIndex + leaves.count / 2
            return zip(tree(leaves[..<middle]), tree(leaves[middle...])).map(+)
        }
        let shards = (0..<8).map { $0..<$0 + 1 }
        let together = fixture.gradients(rows: 0..<8, shards: shards, groups: [8], twice: twice)[0]
        #expect(together.map(\.bitPattern) == tree(alone[...]).map(\.bitPattern))
        #expect(together.contains { $0 != 0 })

        let split = fixture.gradients(rows: 0..<8, shards: shards, groups: [4, 2, 1, 1], twice: twice)
        let expected = [tree(alone[0..<4]), tree(alone[4..<6]), alone[6], alone[7]]
        #expect(split.map { $0.map(\.bitPattern) } == expected.map { $0.map(\.bitPattern) })
    }

    @Test func `do not depend on the other rows of the batch`() {
        let fixture = Fixture()
        let alone = fixture.gradients(rows: 2..<4, shards: [0..<2], groups: [1])[0]
        let among = fixture.gradients(rows: 0..<8, shards: [0..<2, 2..<4, 4..<8], groups: [1, 1, 1])[1]
        #expect(alone.map(\.bitPattern) == among.map(\.bitPattern))
    }

    @Test func `without shards, are the sum over the batch`() {
        let fixture = Fixture()
        let embedded = Tensor.embedding(IntTensor(fixture.tokens, shape: [5, 8]), weight: fixture.table)
        let (hidden, _, _) = Tensor.lstmLayer(
            embedded, initialHidden: nil, initialCell: nil, weights: fixture.recurrent)
        hidden.linear(weight: fixture.weight, bias: fixture.bias).crossEntropy(fixture.targets).sum.backward()
        let whole = fixture.gradients(rows: 0..<8, shards: [0..<8], groups: [1])[0]
        let range = fixture.layout.entries[2].range
        #expect(fixture.recurrent.hiddenHidden.gradient?.values == Array(whole[range]))
    }
}
