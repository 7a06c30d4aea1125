import Interchange
import Lockstep
import TensorCore

/// A recurrent layer, padded or packed.
func runRecurrentCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.allow(only: [
        "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size",
        "nonlinearity",
    ])
    let run = try ModuleRun(golden)
    let (input, h0, c0) = (try run.leaf("input"), try run.optionalLeaf("h_0"), try run.optionalLeaf("c_0"))
    let lengths = run.file["lengths"] == nil ? nil : try run.file.integers("lengths").values.map { Int($0) }
    let batchFirst = try options.flag("batch_first", default: false)
    let steps = input.shape[batchFirst ? 1 : 0]

    /// Runs a layer over the padded or the packed input.
    func output<States>(
        padded: (Tensor) -> (Tensor, States), packed: (PackedSequence) -> (PackedSequence, States)
    ) -> (Tensor, States) {
        guard let lengths else { return padded(input.tensor) }
        let (output, states) = packed(packPaddedSequence(input.tensor, lengths: lengths, batchFirst: batchFirst))
        return (padPackedSequence(output, batchFirst: batchFirst, totalLength: steps).output, states)
    }

    switch golden.kind {
    case "LSTM":
        let layer = LSTM(
            inputSize: try options.integer("input_size"),
            hiddenSize: try options.integer("hidden_size"), numLayers: try options.integer("num_layers", default: 1),
            bias: try options.flag("bias", default: true), batchFirst: batchFirst,
            dropout: Float(try options.number("dropout", default: 0)),
            bidirectional: try options.flag("bidirectional", default: false),
            projSize: try options.integer("proj_size", default: 0))
        try run.load(into: layer)
        let state = h0.flatMap { h in c0.map { (h.tensor, $0.tensor) } }
        let (result, last) = output(
            padded: { layer($0, state: state) }, packed: { layer($0, state: state) })
        return try run.finish(["output": result, "h_n": last.hidden, "c_n": last.cell], of: layer)
    case "GRU":
        let layer = GRU(
            inputSize: try options.integer("input_size"),
            hiddenSize: try options.integer("hidden_size"), numLayers: try options.integer("num_layers", default: 1),
            bias: try options.flag("bias", default: true), batchFirst: batchFirst,
            dropout: Float(try options.number("dropout", default: 0)),
            bidirectional: try options.flag("bidirectional", default: false))
        try run.load(into: layer)
        let (result, last) = output(padded: { layer($0, state: h0?.tensor) }, packed: { layer($0, state: h0?.tensor) })
        return try run.finish(["output": result, "h_n": last], of: layer)
    default:
        let layer = RNN(
            inputSize: try options.integer("input_size"),
            hiddenSize: try options.integer("hidden_size"), numLayers: try options.integer("num_layers", default: 1),
            nonlinearity: try options.choice("nonlinearity", default: .tanh),
            bias: try options.flag("bias", default: true), batchFirst: batchFirst,
            dropout: Float(try options.number("dropout", default: 0)),
            bidirectional: try options.flag("bidirectional", default: false))
        try run.load(into: layer)
        let (result, last) = output(padded: { layer($0, state: h0?.tensor) }, packed: { layer($0, state: h0?.tensor) })
        return try run.finish(["output": result, "h_n": last], of: layer)
    }
}

/// One step of a cell.
func runCellCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.allow(only: ["input_size", "hidden_size", "bias", "nonlinearity"])
    let run = try ModuleRun(golden)
    let (input, h0, c0) = (try run.leaf("input"), try run.optionalLeaf("h_0"), try run.optionalLeaf("c_0"))
    let inputSize = try options.integer("input_size")
    let hiddenSize = try options.integer("hidden_size")
    let bias = try options.flag("bias", default: true)
    switch golden.kind {
    case "LSTMCell":
        let cell = LSTMCell(inputSize: inputSize, hiddenSize: hiddenSize, bias: bias)
        try run.load(into: cell)
        let next = cell(input.tensor, h0.flatMap { h in c0.map { (h.tensor, $0.tensor) } })
        return try run.finish(["h_n": next.hidden, "c_n": next.cell], of: cell)
    case "GRUCell":
        let cell = GRUCell(inputSize: inputSize, hiddenSize: hiddenSize, bias: bias)
        try run.load(into: cell)
        return try run.finish(["h_n": cell(input.tensor, h0?.tensor)], of: cell)
    default:
        let cell = RNNCell(
            inputSize: inputSize, hiddenSize: hiddenSize, bias: bias,
            nonlinearity: try options.choice("nonlinearity", default: .tanh))
        try run.load(into: cell)
        return try run.finish(["h_n": cell(input.tensor, h0?.tensor)], of: cell)
    }
}
