import Layers
import TensorCore
import Testing

@Suite struct `An embedding` {
    private func table(_ layer: Embedding) -> [[Float]] {
        let width = layer.weight.shape[1]
        return stride(from: 0, to: layer.weight.count, by: width).map { Array(layer.weight.values[$0..<$0 + width]) }
    }

    /// The gradient of Σ output × cotangent by the table, row by row.
    private func gradient(_ layer: Embedding, _ tokens: IntTensor, _ cotangent: [Float]) -> [[Float]] {
        layer.weight.zeroGradient()
        let output = layer(tokens)
        output.backward(cotangent: Tensor(cotangent, shape: output.shape))
        let values = layer.weight.gradient?.values ?? []
        let width = layer.weight.shape[1]
        return stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
    }

    @Test(arguments: [[], [3], [2, 3], [2, 1, 3]]) func `takes tokens of any shape`(shape: [Int]) {
        let layer = Embedding(numEmbeddings: 5, embeddingDim: 3)
        let tokens = IntTensor((0..<Int32(shape.reduce(1, *))).map { $0 % 5 }, shape: shape)
        let output = layer(tokens)
        #expect(output.shape == shape + [3])
        #expect(output.values == tokens.values.flatMap { table(layer)[Int($0)] })
    }

    @Test(arguments: [(2, 2), (-1, 4), (-5, 0)], [false, true])
    func `has a padding row that is zero at first and gets no gradient`(padding: (given: Int, row: Int), sparse: Bool) {
        let layer = Embedding(numEmbeddings: 5, embeddingDim: 2, paddingIdx: padding.given, sparse: sparse)
        #expect(layer.paddingIdx == padding.row)
        #expect(table(layer)[padding.row] == [0, 0])
        #expect(table(layer).enumerated().allSatisfy { $0 == padding.row || $1 != [0, 0] })
        let tokens = IntTensor([0, 1, 2, 3, 4, Int32(padding.row)])
        let rows = gradient(layer, tokens, Array(repeating: 1, count: 12))
        for row in 0..<5 { #expect(rows[row] == (row == padding.row ? [0, 0] : [1, 1])) }
        // What was put there is looked up all the same.
        layer.weight.assign(Array(repeating: 3, count: 10))
        #expect(layer(IntTensor([Int32(padding.row)])).values == [3, 3])
    }

    @Test(arguments: [(1, 7), (2, 5), (3, Float(91).squareRoot()), (.infinity, 4)] as [(Float, Float)])
    func `scales rows above the largest norm down to it, in the table itself`(p: Float, norm: Float) {
        // |−3| + |4| = 7, √(9 + 16) = 5, ∛(27 + 64) = ∛91, max = 4.
        let exact: Float = p == 3 ? 4.497_941_4 : norm
        let layer = Embedding(numEmbeddings: 4, embeddingDim: 2, maxNorm: 2, normType: p)
        layer.weight.assign([-3, 4, 0.5, 0.25, -3, 4, 0, 0])
        let output = layer(IntTensor([0, 1, 3, 0]))
        let scaled = [-3 * 2 / exact, 4 * 2 / exact]
        expectNear(table(layer)[0], scaled, "row 0")
        #expect(output.values == table(layer)[0] + [0.5, 0.25] + [0, 0] + table(layer)[0])
        #expect(table(layer)[1] == [0.5, 0.25])
        #expect(table(layer)[2] == [-3, 4], "a row that was not looked up stays")
        #expect(table(layer)[3] == [0, 0])
    }

    @Test func `divides gradients by how often a token occurs`() {
        for sparse in [false, true] {
            let layer = Embedding(numEmbeddings: 4, embeddingDim: 1, scaleGradByFreq: true, sparse: sparse)
            let rows = gradient(layer, IntTensor([1, 3, 1, 1, 0], shape: [1, 5]), [3, 5, 6, 9, -2])
            #expect(rows == [[-2], [6], [0], [5]])
        }
    }

    @Test(arguments: [nil, 1] as [Int?], [false, true])
    func `has the same gradient bits sparse and dense`(padding: Int?, scaled: Bool) {
        var numbers = TestNumbers(seed: testSeed)
        func make(_ sparse: Bool) -> Embedding {
            Embedding(
                numEmbeddings: 11, embeddingDim: 17, paddingIdx: padding, scaleGradByFreq: scaled, sparse: sparse,
                generator: Generator(seed: 4))
        }
        let (dense, sparse) = (make(false), make(true))
        #expect(sparse.weight.hasSparseGradient && !dense.weight.hasSparseGradient)
        #expect(dense.weight.values == sparse.weight.values)
        // Two lookups at once and two backward passes, all into one gradient.
        for _ in 0..<2 {
            let (first, second) = (tokens(&numbers), tokens(&numbers))
            let (one, other) = (numbers.tensor([4, 3, 17]), numbers.tensor([4, 3, 17]))
            for layer in [dense, sparse] { (weighted(layer(first), one) + weighted(layer(second), other)).backward() }
        }
        #expect(dense.weight.gradient?.bits == sparse.weight.gradient?.bits)
        #expect(dense.weight.gradient?.values.contains { $0 != 0 } == true)
    }

    private func tokens(_ numbers: inout TestNumbers) -> IntTensor {
        IntTensor((0..<12).map { _ in Int32.random(in: 0..<8, using: &numbers) }, shape: [4, 3])
    }

    @Test func `adds negative zeros as a whole table would`() {
        // The smallest number below zero rounds to −0 when it is halved; sums with an untouched row make it +0.
        let tiny = -Float.leastNonzeroMagnitude
        func bits(sparse: Bool) -> [[UInt32]] {
            let layer = Embedding(numEmbeddings: 3, embeddingDim: 2, scaleGradByFreq: true, sparse: sparse)
            var seen: [[UInt32]] = []
            for tokens in [[0, 0], [1, 2], [0, 0]] as [[Int32]] {
                let output = layer(IntTensor(tokens))
                output.backward(cotangent: Tensor([tiny, -0.0, 0, -0.0], shape: [2, 2]))
                seen.append(layer.weight.gradient?.bits ?? [])
            }
            return seen
        }
        let dense = bits(sparse: false)
        #expect(dense == bits(sparse: true))
        #expect(dense[0][0] == Float(-0.0).bitPattern, "the case is the one that it should be")
    }

    @Test func `learns with maxNorm through the rows as they are after scaling`() {
        let layer = Embedding(numEmbeddings: 2, embeddingDim: 2, maxNorm: 1)
        layer.weight.assign([3, 4, 0, 0.5])
        let output = layer(IntTensor([0, 1]))
        (output * output).sum().backward()
        expectNear(layer.weight.gradient?.values ?? [], [1.2, 1.6, 0, 1], "gradient")
    }
}
