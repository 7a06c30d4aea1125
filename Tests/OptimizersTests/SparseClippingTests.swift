import Optimizers
import TensorCore
import Testing

@Suite struct `Clipping a table's gradient that is kept by rows` {
    private func table(sparse: Bool) -> Parameter {
        let table = Parameter((0..<10).map { Float($0) / 7 }, shape: [5, 2], sparseGradient: sparse)
        let weights = Tensor([1, -2, 3, 4, 5, -6, 7, 8], shape: [4, 2])
        (Tensor.embedding(IntTensor([3, 1, 3, 0]), weight: table) * weights).sum().backward()
        return table
    }

    private func bits(_ parameter: Parameter) -> [UInt32] { parameter.values.map(\.bitPattern) }

    @Test(arguments: [Float(2), 1, 3, .infinity]) func `by norm gives the bits of whole tables`(normType: Float) {
        let (rows, whole) = (table(sparse: true), table(sparse: false))
        let norms = [rows, whole].map { clipGradientNorm([$0], maxNorm: 0.5, normType: normType) }
        #expect(norms[0] == norms[1] && norms[0] > 0.5)
        #expect(rows.gradient?.values == whole.gradient?.values)
        for parameter in [rows, whole] { SGD([parameter], learningRate: 1).step() }
        #expect(bits(rows) == bits(whole))
    }

    @Test func `by value gives the bits of whole tables`() {
        let (rows, whole) = (table(sparse: true), table(sparse: false))
        for parameter in [rows, whole] { clipGradientValue([parameter], clipValue: 2.5) }
        #expect(rows.gradient?.values == whole.gradient?.values)
        #expect(rows.gradient?.values.map(\.magnitude).max() == 2.5)
    }

    @Test func `a norm that is not a number makes every gradient so, as in PyTorch`() {
        let parameters = [Parameter([1], shape: [1]), Parameter([1], shape: [1])]
        (parameters[0].tensor * Float.nan).sum().backward()
        (parameters[1].tensor * 5).sum().backward()
        clipGradientNorm(parameters, maxNorm: 1)
        #expect(parameters.allSatisfy { $0.gradient?.item.isNaN == true })
    }
}
