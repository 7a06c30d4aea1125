import Interchange
import Lockstep
import TensorCore

/// A recurrent layer, padded or packed.
func runRecurrentCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.expectOnly(
        "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size", "nonlinearity")
    let run = try ModuleRun(golden)
    let (input, h0, c0) = (try run.leaf("input"), try run.optionalLeaf("h_0"), try run.optionalLeaf("c_0"))
    let lengths = run.file["lengths"] == nil ? nil : try run.file.integers("lengths").values.map { Int($0) }
    let batchFirst = options.bool("batch_first") ?? false
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
            inputSize: try options.need(options.int("input_size"), "input_size"),
            hiddenSize: try options.need(options.int("hidden_size"), "hidden_size"), numLayers: options.int("num_layers") ?? 1,
            bias: options.bool("bias") ?? true, batchFirst: batchFirst, dropout: options.float("dropout") ?? 0,
            bidirectional: options.bool("bidirectional") ?? false, projSize: options.int("proj_size") ?? 0)
        try run.load(into: layer)
        let state = h0.flatMap { h in c0.map { (h.tensor, $0.tensor) } }
        let (result, last) = output(
            padded: { layer($0, state: state) }, packed: { layer($0, state: state) })
        return try run.finish(["output": result, "h_n": last.hidden, "c_n": last.cell], of: layer)
    case "GRU":
        let layer = GRU(
            inputSize: try options.need(options.int("input_size"), "input_size"),
            hiddenSize: try options.need(options.int("hidden_size"), "hidden_size"), numLayers: options.int("num_layers") ?? 1,
            bias: options.bool("bias") ?? true, batchFirst: batchFirst, dropout: options.float("dropout") ?? 0,
            bidirectional: options.bool("bidirectional") ?? false)
        try run.load(into: layer)
        let (result, last) = output(padded: { layer($0, state: h0?.tensor) }, packed: { layer($0, state: h0?.tensor) })
        return try run.finish(["output": result, "h_n": last], of: layer)
    default:
        let layer = RNN(
            inputSize: try options.need(options.int("input_size"), "input_size"),
            hiddenSize: try options.need(options.int("hidden_size"), "hidden_size"), numLayers: options.int("num_layers") ?? 1,
            nonlinearity: try nonlinearity(options), bias: options.bool("bias") ?? true, batchFirst: batchFirst,
            dropout: options.float("dropout") ?? 0, bidirectional: options.bool("bidirectional") ?? false)
        try run.load(into: layer)
        let (result, last) = output(padded: { layer($0, state: h0?.tensor) }, packed: { layer($0, state: h0?.tensor) })
        return try run.finish(["output": result, "h_n": last], of: layer)
    }
}

/// One step of a cell.
func runCellCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.expectOnly("input_size", "hidden_size", "bias", "nonlinearity")
    let run = try ModuleRun(golden)
    let (input, h0, c0) = (try run.leaf("input"), try run.optionalLeaf("h_0"), try run.optionalLeaf("c_0"))
    let inputSize = try options.need(options.int("input_size"), "input_size")
    let hiddenSize = try options.need(options.int("hidden_size"), "hidden_size")
    let bias = options.bool("bias") ?? true
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
        let cell = RNNCell(inputSize: inputSize, hiddenSize: hiddenSize, bias: bias, nonlinearity: try nonlinearity(options))
        try run.load(into: cell)
        return try run.finish(["h_n": cell(input.tensor, h0?.tensor)], of: cell)
    }
}

private func nonlinearity(_ options: GoldenOptions) throws -> Nonlinearity {
    let name = options.text("nonlinearity") ?? "tanh"
    return try options.need(Nonlinearity(rawValue: name), "nonlinearity \(name)")
}
