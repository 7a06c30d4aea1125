import Layers
import TensorCore
import Testing

@Suite struct `A cell stepped by hand` {
    private static let sizes = [(1, 1, 1, 1), (4, 3, 5, 7), (3, 2, 33, 17), (2, 13, 17, 33)]

    /// The weights of a one-layer module under a cell's names.
    private func load(_ module: some Module, into cell: some Module) throws {
        try cell.load(
            stateDict: Dictionary(uniqueKeysWithValues: module.stateDict.map { (String($0.dropLast(3)), $1) }))
    }

    /// Steps of `[T, B, I]`.
    private func steps(_ input: Tensor) -> [Tensor] { (0..<input.shape[0]).map { input[$0] } }

    /// Holds outputs to the bit, and gradients of weights, input and initial states to a few units in the last place.
    private func expectEqual(
        layer: some Module, cell: some Module, leaves: [Parameter], cotangent: Tensor, fused: Tensor, stepped: Tensor
    ) {
        #expect(fused.bits == stepped.bits)
        func gradients(_ result: Tensor, _ module: some Module) -> [[Float]] {
            let parameters = module.parameters + leaves
            parameters.forEach { $0.zeroGradient() }
            weighted(result, cotangent).backward()
            return parameters.map { $0.gradient?.values ?? [] }
        }
        let (one, other) = (gradients(fused, layer), gradients(stepped, cell))
        for (index, pair) in zip(one, other).enumerated() { expectNear(pair.0, pair.1, "gradient \(index)") }
        #expect(one.allSatisfy { $0.contains { $0 != 0 } })
    }

    @Test(arguments: sizes, [true, false])
    func `is an LSTM`(size: (Int, Int, Int, Int), bias: Bool) throws {
        let (time, batch, inputs, hidden) = size
        var numbers = TestNumbers(seed: testSeed)
        let layer = LSTM(inputSize: inputs, hiddenSize: hidden, bias: bias)
        let cell = LSTMCell(inputSize: inputs, hiddenSize: hidden, bias: bias)
        try load(layer, into: cell)
        let leaves = [
            numbers.parameter([time, batch, inputs]), numbers.parameter([batch, hidden]),
            numbers.parameter([batch, hidden]),
        ]
        let start = leaves.dropFirst().map { $0.tensor.reshaped([1, batch, hidden]) }
        let (output, last) = layer(leaves[0].tensor, state: (start[0], start[1]))
        var state = (hidden: leaves[1].tensor, cell: leaves[2].tensor)
        var outputs: [Tensor] = []
        for step in steps(leaves[0].tensor) {
            state = cell(step, state)
            outputs.append(state.hidden)
        }
        #expect(last.hidden.bits == state.hidden.bits && last.cell.bits == state.cell.bits)
        expectEqual(
            layer: layer, cell: cell, leaves: leaves, cotangent: numbers.tensor([time + 1, batch, hidden]),
            fused: Tensor.concatenate([output, last.cell]), stepped: Tensor.stack(outputs + [state.cell]))
    }

    @Test(arguments: sizes, [true, false])
    func `is a GRU`(size: (Int, Int, Int, Int), bias: Bool) throws {
        let (time, batch, inputs, hidden) = size
        var numbers = TestNumbers(seed: testSeed)
        let layer = GRU(inputSize: inputs, hiddenSize: hidden, bias: bias)
        let cell = GRUCell(inputSize: inputs, hiddenSize: hidden, bias: bias)
        try load(layer, into: cell)
        let leaves = [numbers.parameter([time, batch, inputs]), numbers.parameter([batch, hidden])]
        let (output, last) = layer(leaves[0].tensor, state: leaves[1].tensor.reshaped([1, batch, hidden]))
        var state = leaves[1].tensor
        var outputs: [Tensor] = []
        for step in steps(leaves[0].tensor) {
            state = cell(step, state)
            outputs.append(state)
        }
        #expect(last.bits == state.bits)
        expectEqual(
            layer: layer, cell: cell, leaves: leaves, cotangent: numbers.tensor([time, batch, hidden]), fused: output,
            stepped: Tensor.stack(outputs))
    }

    @Test(arguments: sizes, Nonlinearity.allCases)
    func `is an RNN`(size: (Int, Int, Int, Int), nonlinearity: Nonlinearity) throws {
        let (time, batch, inputs, hidden) = size
        var numbers = TestNumbers(seed: testSeed)
        let layer = RNN(inputSize: inputs, hiddenSize: hidden, nonlinearity: nonlinearity)
        let cell = RNNCell(inputSize: inputs, hiddenSize: hidden, nonlinearity: nonlinearity)
        try load(layer, into: cell)
        // A single relu may be off from the first step to the last; this one is on.
        if hidden == 1 { for parameter in layer.parameters + cell.parameters { parameter.assign([0.5]) } }
        let leaves = [numbers.parameter([time, batch, inputs]), numbers.parameter([batch, hidden])]
        if hidden == 1 { for leaf in leaves { leaf.assign(leaf.values.map(abs)) } }
        let (output, last) = layer(leaves[0].tensor, state: leaves[1].tensor.reshaped([1, batch, hidden]))
        var state = leaves[1].tensor
        var outputs: [Tensor] = []
        for step in steps(leaves[0].tensor) {
            state = cell(step, state)
            outputs.append(state)
        }
        #expect(last.bits == state.bits)
        expectEqual(
            layer: layer, cell: cell, leaves: leaves, cotangent: numbers.tensor([time, batch, hidden]), fused: output,
            stepped: Tensor.stack(outputs))
    }
}

@Suite struct `A cell` {
    private let lstm = LSTMCell(inputSize: 3, hiddenSize: 5, generator: Generator(seed: 3))
    private let gru = GRUCell(inputSize: 3, hiddenSize: 5, generator: Generator(seed: 3))
    private let rnn = RNNCell(inputSize: 3, hiddenSize: 5, generator: Generator(seed: 3))

    @Test func `of a single sequence has no batch axis`() {
        var numbers = TestNumbers(seed: testSeed)
        let (x, h, c) = (numbers.tensor([3]), numbers.tensor([5]), numbers.tensor([5]))
        func row(_ tensor: Tensor) -> Tensor { tensor.reshaped([1, tensor.count]) }
        let one = lstm(x, (h, c))
        let batch = lstm(row(x), (row(h), row(c)))
        #expect(one.hidden.shape == [5] && one.cell.shape == [5] && batch.hidden.shape == [1, 5])
        #expect(one.hidden.bits == batch.hidden.bits && one.cell.bits == batch.cell.bits)
        #expect(gru(x, h).shape == [5] && gru(x, h).bits == gru(row(x), row(h)).bits)
        #expect(rnn(x, h).shape == [5] && rnn(x, h).bits == rnn(row(x), row(h)).bits)
    }

    @Test func `without a state starts from zero`() {
        var numbers = TestNumbers(seed: testSeed)
        let (x, zero) = (numbers.tensor([2, 3]), Tensor.zeros([2, 5]))
        #expect(lstm(x).hidden.bits == lstm(x, (zero, zero)).hidden.bits)
        #expect(lstm(x).cell.bits == lstm(x, (zero, zero)).cell.bits)
        #expect(gru(x).bits == gru(x, zero).bits)
        #expect(rnn(x).bits == rnn(x, zero).bits)
        #expect(gru(x[0]).bits == gru(x).sliced(0..<1, axis: 0).bits)
    }

    @Test func `has PyTorch's names`() {
        let names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
        #expect(lstm.namedParameters.map(\.name) == names)
        #expect(lstm.parameters.map(\.shape) == [[20, 3], [20, 5], [20], [20]])
        #expect(gru.parameters.map(\.shape) == [[15, 3], [15, 5], [15], [15]])
        #expect(rnn.parameters.map(\.shape) == [[5, 3], [5, 5], [5], [5]])
        #expect(
            GRUCell(inputSize: 3, hiddenSize: 5, bias: false).namedParameters.map(\.name) == ["weight_ih", "weight_hh"])
    }
}
