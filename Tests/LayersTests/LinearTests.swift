import Layers
import TensorCore
import Testing

@Suite struct `A linear layer` {
    /// Σ a[row, k] · b[k, column] in double precision. `[rows, depth]` by `[depth, columns]`
    private func product(_ a: [Double], _ b: [Double], rows: Int, columns: Int) -> [Double] {
        let depth = a.count / rows
        var result = Array(repeating: 0.0, count: rows * columns)
        for row in 0..<rows {
            for column in 0..<columns {
                for k in 0..<depth { result[row * columns + column] += a[row * depth + k] * b[k * columns + column] }
            }
        }
        return result
    }

    private func transposed(_ a: [Double], rows: Int) -> [Double] {
        let columns = a.count / rows
        return (0..<a.count).map { a[$0 % rows * columns + $0 / rows] }
    }

    @Test(arguments: [[17], [1, 17], [2, 3, 17], [2, 1, 3, 17]], [true, false])
    func `works row by row on inputs of any shape`(shape: [Int], bias: Bool) {
        var numbers = TestNumbers(seed: testSeed)
        let layer = Linear(inFeatures: 17, outFeatures: 5, bias: bias)
        #expect(layer.parameters.count == (bias ? 2 : 1))
        let input = numbers.parameter(shape)
        let rows = input.count / 17
        let output = layer(input.tensor)
        #expect(output.shape == shape.dropLast() + [5])
        let x = input.values.map(Double.init)
        let w = layer.weight.values.map(Double.init)
        let b = layer.bias?.values.map(Double.init) ?? Array(repeating: 0, count: 5)
        var expected = product(x, transposed(w, rows: 5), rows: rows, columns: 5)
        for place in expected.indices { expected[place] += b[place % 5] }
        expectClose(output.values, expected, 1e-6, "output")

        let cotangent = numbers.tensor(output.shape)
        let d = cotangent.values.map(Double.init)
        output.backward(cotangent: cotangent)
        expectClose(input.gradient?.values ?? [], product(d, w, rows: rows, columns: 17), 1e-6, "gradient of the input")
        let dT = transposed(d, rows: rows)
        expectClose(
            layer.weight.gradient?.values ?? [], product(dT, x, rows: 5, columns: 17), 1e-6, "gradient of the weight")
        if let bias = layer.bias {
            let ones = Array(repeating: 1.0, count: rows)
            expectClose(
                bias.gradient?.values ?? [], product(dT, ones, rows: 5, columns: 1), 1e-6, "gradient of the bias")
        }
    }
}
