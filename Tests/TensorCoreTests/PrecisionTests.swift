import TensorCore
import Testing

/// Layers of every cell above each other with a linear one on top, each by its own weights.
private struct Tower {
    private let layers: [LayerFixture]
    private let head: Parameter
    private let bias: Parameter
    private let cotangent: Tensor

    init(_ precision: Precision) {
        layers = [(4, 9), (3, 15), (1, 15)].enumerated().map { index, shape in
            LayerFixture(gates: shape.0, steps: 5, batch: 3, inputs: shape.1, hidden: 15, seed: 60 + UInt64(index))
        }
        var numbers = TestNumbers(seed: 59)
        (head, bias) = (numbers.parameter([37, 15]), numbers.parameter([37]))
        cotangent = numbers.tensor([5, 3, 37])
        setPrecision(precision)
    }

    private var weights: [Parameter] { layers.flatMap { $0.weights.all } + [head, bias] }

    func setPrecision(_ precision: Precision) { weights.forEach { $0.precision = precision } }

    /// The result, and the gradient of each weight and of the input.
    func run() -> [[Float]] {
        let lstm = Tensor.lstmLayer(
            layers[0].input.tensor, initialHidden: layers[0].hidden.tensor, initialCell: nil,
            weights: layers[0].weights
        ).output
        let gru = Tensor.gruLayer(lstm, initialHidden: nil, weights: layers[1].weights).output
        let rnn = Tensor.rnnLayer(gru, initialHidden: nil, weights: layers[2].weights, nonlinearity: .tanh).output
        let result = rnn.linear(weight: head, bias: bias)
        let all = weights + [layers[0].input, layers[0].hidden]
        all.forEach { $0.zeroGradient() }
        result.backward(cotangent: cotangent)
        return [result.values] + all.map { $0.gradient?.values ?? [] }
    }
}

/// ‖a − b‖ / ‖b‖
private func distance(_ a: [Float], _ b: [Float]) -> Float {
    let difference = zip(a, b).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (difference / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
}

@Suite struct `Layers in bf16` {
    @Test func `have the same bits on every instruction set, gradients too`() throws {
        let active = InstructionSet.active
        defer { try? InstructionSet.select(active.rawValue) }
        var results: Set<[[UInt32]]> = []
        for set in InstructionSet.available {
            try InstructionSet.select(set.rawValue)
            results.insert(Tower(.bf16).run().map { $0.map(\.bitPattern) })
        }
        #expect(results.count == 1)
    }

    @Test func `are near those in fp32, result and every gradient, and not equal`() {
        let (exact, rounded) = (Tower(.fp32).run(), Tower(.bf16).run())
        #expect(exact.count == rounded.count && exact.count == 17)
        for (index, (own, other)) in zip(rounded, exact).enumerated() {
            #expect(own.count == other.count && !own.isEmpty)
            // A factor is off by 2⁻⁹ at most, and a few of them stand before each other.
            #expect(distance(own, other) < 0.02, "array \(index): \(distance(own, other))")
            #expect(own.allSatisfy { $0.isFinite })
        }
        #expect(distance(rounded[0], exact[0]) > 1e-4)
    }

    @Test func `are those in fp32 again once they are set back, packed weights too`() {
        let tower = Tower(.fp32)
        let before = tower.run()
        tower.setPrecision(.bf16)
        #expect(tower.run() != before)
        tower.setPrecision(.fp32)
        #expect(tower.run() == before)
    }

    @Test func `take each shard's gradient from its own rows alone`() {
        // Five steps of three rows: the pairs of a product over (step, row) cross from one step to the next.
        var numbers = TestNumbers(seed: 71)
        let (weight, x, dy) = (numbers.parameter([7, 11]), numbers.parameter([5, 3, 11]), numbers.tensor([5, 3, 7]))
        weight.precision = .bf16
        x.tensor.linear(weight: weight, bias: nil).backward(cotangent: dy)
        let whole = weight.gradient?.values ?? []
        let parts = (0..<3).map { row -> [Float] in
            let rows = Parameter(
                (0..<5).flatMap { step in x.values[(step * 3 + row) * 11..<(step * 3 + row + 1) * 11] },
                shape: [5, 1, 11])
            let own = Tensor(
                (0..<5).flatMap { step in dy.values[(step * 3 + row) * 7..<(step * 3 + row + 1) * 7] },
                shape: [5, 1, 7])
            weight.zeroGradient()
            rows.tensor.linear(weight: weight, bias: nil).backward(cotangent: own)
            return weight.gradient?.values ?? []
        }
        let sum = whole.indices.map { parts[0][$0] + parts[1][$0] + parts[2][$0] }
        #expect(distance(sum, whole) < 1e-6 && whole.count == 77)
    }
}
