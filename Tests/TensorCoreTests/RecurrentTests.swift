import TensorCore
import Testing

/// The weights of one layer, small enough for central differences.
struct LayerFixture {
    let weights: RecurrentWeights
    let input: Parameter
    let hidden: Parameter
    let cell: Parameter
    let output: Tensor
    let lastHidden: Tensor
    let lastCell: Tensor

    init(gates: Int, steps: Int, batch: Int, inputs: Int, hidden size: Int, seed: UInt64) {
        var numbers = TestNumbers(seed: seed)
        weights = RecurrentWeights(
            inputHidden: numbers.parameter([gates * size, inputs], spread: 0.7),
            hiddenHidden: numbers.parameter([gates * size, size], spread: 0.7),
            biasInputHidden: numbers.parameter([gates * size], spread: 0.5),
            biasHiddenHidden: numbers.parameter([gates * size], spread: 0.5))
        input = numbers.parameter([steps, batch, inputs])
        hidden = numbers.parameter([batch, size])
        cell = numbers.parameter([batch, size])
        output = numbers.tensor([steps, batch, size])
        lastHidden = numbers.tensor([batch, size])
        lastCell = numbers.tensor([batch, size])
    }

    var parameters: [Parameter] {
        [
            weights.inputHidden, weights.hiddenHidden, weights.biasInputHidden, weights.biasHiddenHidden, input, hidden,
        ].compactMap { $0 }
    }
}

@Suite struct `Recurrent layers` {
    @Test func `an LSTM's gradients agree with finite differences`() {
        let layer = LayerFixture(gates: 4, steps: 3, batch: 2, inputs: 3, hidden: 5, seed: 21)
        expectGradients(of: layer.parameters + [layer.cell]) {
            let (output, hidden, cell) = Tensor.lstmLayer(
                layer.input.tensor, initialHidden: layer.hidden.tensor, initialCell: layer.cell.tensor,
                weights: layer.weights)
            return weighted(output, layer.output) + weighted(hidden, layer.lastHidden) + weighted(cell, layer.lastCell)
        }
    }

    @Test func `a GRU's gradients agree with finite differences`() {
        let layer = LayerFixture(gates: 3, steps: 3, batch: 2, inputs: 3, hidden: 5, seed: 22)
        expectGradients(of: layer.parameters) {
            let (output, hidden) = Tensor.gruLayer(
                layer.input.tensor, initialHidden: layer.hidden.tensor, weights: layer.weights)
            return weighted(output, layer.output) + weighted(hidden, layer.lastHidden)
        }
    }

    @Test(arguments: Nonlinearity.allCases)
    func `an RNN's gradients agree with finite differences`(nonlinearity: Nonlinearity) {
        let layer = LayerFixture(gates: 1, steps: 3, batch: 2, inputs: 3, hidden: 5, seed: 41)
        // A seed at which no pre-activation comes near the kink of relu, where there is no difference quotient.
        expectGradients(of: layer.parameters) {
            let (output, hidden) = Tensor.rnnLayer(
                layer.input.tensor, initialHidden: layer.hidden.tensor, weights: layer.weights,
                nonlinearity: nonlinearity)
            return weighted(output, layer.output) + weighted(hidden, layer.lastHidden)
        }
    }

    @Test(arguments: [(1, 1, 1, 1), (4, 3, 5, 17), (3, 13, 33, 31)])
    func `a fused LSTM equals the same layer out of small operations`(steps: Int, batch: Int, inputs: Int, hidden: Int)
    {
        let layer = LayerFixture(gates: 4, steps: steps, batch: batch, inputs: inputs, hidden: hidden, seed: 24)
        expectEqual(layer) { input, hidden, cell in
            Tensor.lstmLayer(input, initialHidden: hidden, initialCell: cell, weights: layer.weights).output
        } composed: { input, h, c in
            var (h, c) = (h, c)
            let outputs = (0..<steps).map { time in
                let gates = layer.preactivation(input[time], h)
                let parts = (0..<4).map { gates.columns($0 * hidden..<($0 + 1) * hidden) }
                c = parts[1].sigmoid() * c + parts[0].sigmoid() * parts[2].tanh()
                h = parts[3].sigmoid() * c.tanh()
                return h
            }
            return Tensor.stack(outputs)
        }
    }

    @Test(arguments: [(1, 1, 1, 1), (4, 3, 5, 17), (3, 13, 33, 31)])
    func `a fused GRU equals the same layer out of small operations`(steps: Int, batch: Int, inputs: Int, hidden: Int) {
        let layer = LayerFixture(gates: 3, steps: steps, batch: batch, inputs: inputs, hidden: hidden, seed: 25)
        expectEqual(layer) { input, hidden, _ in
            Tensor.gruLayer(input, initialHidden: hidden, weights: layer.weights).output
        } composed: { input, h, _ in
            var h = h
            let outputs = (0..<steps).map { time in
                let x = layer.inputSide(input[time])
                let y = layer.hiddenSide(h)
                func part(_ t: Tensor, _ index: Int) -> Tensor { t.columns(index * hidden..<(index + 1) * hidden) }
                let r = (part(x, 0) + part(y, 0)).sigmoid()
                let z = (part(x, 1) + part(y, 1)).sigmoid()
                let n = (part(x, 2) + r * part(y, 2)).tanh()
                h = n - z * n + z * h
                return h
            }
            return Tensor.stack(outputs)
        }
    }

    @Test func `an initial state of zeros is the same as none`() {
        let layer = LayerFixture(gates: 4, steps: 3, batch: 2, inputs: 3, hidden: 17, seed: 26)
        let zeros = Tensor.zeros([2, 17])
        let absent = Tensor.lstmLayer(layer.input.tensor, initialHidden: nil, initialCell: nil, weights: layer.weights)
        let given = Tensor.lstmLayer(
            layer.input.tensor, initialHidden: zeros, initialCell: zeros, weights: layer.weights)
        #expect(absent.output.values.map(\.bitPattern) == given.output.values.map(\.bitPattern))
    }

    @Test func `two halves with carried state equal the whole sequence`() {
        let layer = LayerFixture(gates: 3, steps: 6, batch: 2, inputs: 3, hidden: 17, seed: 27)
        let whole = Tensor.gruLayer(layer.input.tensor, initialHidden: nil, weights: layer.weights)
        let parts = layer.input.tensor.reshaped([2, 3, 2, 3])
        let first = Tensor.gruLayer(parts[0], initialHidden: nil, weights: layer.weights)
        let second = Tensor.gruLayer(parts[1], initialHidden: first.hidden, weights: layer.weights)
        let joined = first.output.values + second.output.values
        #expect(joined.map(\.bitPattern) == whole.output.values.map(\.bitPattern))
    }

    /// Outputs and all gradients, to a few units in the last place of the largest.
    private func expectEqual(
        _ layer: LayerFixture, fused: (Tensor, Tensor, Tensor) -> Tensor, composed: (Tensor, Tensor, Tensor) -> Tensor
    ) {
        func run(_ forward: (Tensor, Tensor, Tensor) -> Tensor) -> [[Float]] {
            let parameters = layer.parameters + [layer.cell]
            parameters.forEach { $0.zeroGradient() }
            let output = forward(layer.input.tensor, layer.hidden.tensor, layer.cell.tensor)
            weighted(output, layer.output).backward()
            return [output.values] + parameters.compactMap { $0.gradient?.values }
        }
        let (first, second) = (run(fused), run(composed))
        #expect(first.count == second.count)
        for (a, b) in zip(first, second) {
            let scale = max(a.map(abs).max() ?? 0, 1e-3)
            #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 * scale })
        }
    }
}

extension LayerFixture {
    func inputSide(_ x: Tensor) -> Tensor {
        Tensor.matmulTransposed(x, weights.inputHidden.tensor) + weights.biasInputHidden!.tensor
    }

    func hiddenSide(_ h: Tensor) -> Tensor {
        Tensor.matmulTransposed(h, weights.hiddenHidden.tensor) + weights.biasHiddenHidden!.tensor
    }

    func preactivation(_ x: Tensor, _ h: Tensor) -> Tensor { inputSide(x) + hiddenSide(h) }
}
