internal import TensorCore

/// What all three kinds of recurrent layers are built with, under PyTorch's names.
struct RecurrentOptions {
    /// G: 4 for an LSTM, 3 for a GRU, 1 for an RNN.
    let gatesPerUnit: Int
    let inputSize: Int
    let hiddenSize: Int
    var numLayers = 1
    var bias = true
    var batchFirst = false
    var dropout: Float = 0
    var bidirectional = false
    /// P of an LSTM that projects; 0 for none.
    var projSize = 0

    /// D.
    var directions: Int { bidirectional ? 2 : 1 }
    /// P, or H without projection: the width of a layer's output in one direction.
    var outputSize: Int { projSize > 0 ? projSize : hiddenSize }

    func check(_ name: String) {
        require(
            inputSize > 0 && hiddenSize > 0 && numLayers > 0,
            "\(name): input size \(inputSize), hidden size \(hiddenSize), \(numLayers) layers; each must be positive")
        require(dropout >= 0 && dropout <= 1, "\(name): dropout \(dropout) is not in 0...1")
        require(
            projSize >= 0 && projSize < hiddenSize,
            "\(name): projection size \(projSize) is not in 0..<\(hiddenSize), below the hidden size")
    }
}

/// Layers of one kind of cell in one or both directions, each reading the outputs of the one below, with dropout between them.
struct RecurrentStack {
    /// "LSTM", for sentences.
    let name: String
    let options: RecurrentOptions
    /// By layer and direction. `[L][D]`
    let layers: [[RecurrentWeights]]

    /// Every weight is uniform in ±1/√H at first, drawn in PyTorch's order.
    init(_ name: String, _ options: RecurrentOptions, generator: Generator) {
        options.check(name)
        self.name = name
        self.options = options
        let bound = 1 / Float(options.hiddenSize).squareRoot()
        let width = options.gatesPerUnit * options.hiddenSize
        layers = (0..<options.numLayers).map { layer in
            let inputs = layer == 0 ? options.inputSize : options.outputSize * options.directions
            return (0..<options.directions).map { _ in
                RecurrentWeights(
                    inputHidden: generator.uniform([width, inputs], bound: bound),
                    hiddenHidden: generator.uniform([width, options.outputSize], bound: bound),
                    biasInputHidden: options.bias ? generator.uniform([width], bound: bound) : nil,
                    biasHiddenHidden: options.bias ? generator.uniform([width], bound: bound) : nil,
                    projection: options.projSize > 0
                        ? generator.uniform([options.projSize, options.hiddenSize], bound: bound) : nil)
            }
        }
    }

    /// The layers' weights, bottom first, where they run in one direction.
    var forwardWeights: [RecurrentWeights] {
        require(!options.bidirectional, "\(name): step by step there is one direction")
        return layers.map { $0[0] }
    }

    /// PyTorch's names: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `weight_hr_l0`, `weight_ih_l0_reverse`, ….
    var namedParameters: [(name: String, parameter: Parameter)] {
        layers.enumerated().flatMap { index, directions in
            directions.enumerated().flatMap { direction, weights in
                weights.named(suffix: "_l\(index)\(direction == 1 ? "_reverse" : "")")
            }
        }
    }

    /// One layer in one direction: input, where it begins and ends, weights, initial states; gives its output and last states.
    typealias Layer = (
        _ input: Tensor, _ packed: StepLayout?, _ weights: RecurrentWeights, _ states: [Tensor]?, _ isReversed: Bool
    ) -> (output: Tensor, states: [Tensor])

    /// Runs all layers over a padded batch.
    ///
    /// - Parameters:
    ///   - input: `[T, B, I]`, `[B, T, I]` when batch comes first, or `[T, I]` of a single sequence.
    ///   - states: each `[L·D, B, …]`, or `[L·D, …]` of a single sequence; nil is zero.
    ///   - keepsStates: whether the states after the last step are wanted.
    /// - Returns: the output in the input's layout with D·P features, and the states after the last step, as given; none when not wanted.
    func forward(
        _ input: Tensor, states: [Tensor]?, dropout: DropoutStream?, keepsStates: Bool = true, layer: Layer
    ) -> (output: Tensor, states: [Tensor]) {
        require(
            (2...3).contains(input.shape.count) && input.shape.last == options.inputSize,
            "\(name): input \(input.shape) is not \(options.batchFirst ? "[B, T, \(options.inputSize)]" : "[T, B, \(options.inputSize)]") or [T, \(options.inputSize)]"
        )
        let isSingle = input.shape.count == 2
        let swaps = options.batchFirst && !isSingle
        let batch = isSingle ? nil : input.shape[swaps ? 0 : 1]
        let steps = input.shape[swaps ? 1 : 0]
        require(
            steps > 0 && batch != 0,
            "\(name): input \(input.shape) has \(steps) time steps of \(batch ?? 1) sequences; expected one or more of each"
        )
        check(states, batch: batch, for: "input \(input.shape)")
        let timeMajor =
            isSingle ? input.reshaped([input.shape[0], 1, input.shape[1]]) : swaps ? input.transposed(0, 1) : input
        let given = states?.map { isSingle ? $0.reshaped([$0.shape[0], 1] + $0.shape.dropFirst()) : $0 }
        let (output, last) = run(
            timeMajor, packed: nil, sequences: nil, states: given, dropout: dropout, keepsStates: keepsStates,
            layer: layer)
        if isSingle {
            return (
                output.reshaped([output.shape[0], output.shape[2]]),
                last.map { $0.reshaped([$0.shape[0], $0.shape[2]]) }
            )
        }
        return (swaps ? output.transposed(0, 1) : output, last)
    }

    /// Runs all layers over a packed batch; states are in the order in which the sequences were given.
    func forward(
        _ input: PackedSequence, states: [Tensor]?, dropout: DropoutStream?, layer: Layer
    ) -> (output: PackedSequence, states: [Tensor]) {
        let data = input.data.shape
        require(
            data == [input.layout.rows, options.inputSize],
            "\(name): packed data \(data) is not [\(input.layout.rows), \(options.inputSize)]")
        check(states, batch: input.layout.batch, for: "packed data \(data) of \(input.layout.batch) sequences")
        let places = input.unsortedIndices
        let sorted = states?.map { reordered($0, by: input.sortedIndices) }
        let (output, last) = run(
            input.data, packed: input.layout, sequences: input.sortedIndices, states: sorted, dropout: dropout,
            layer: layer)
        return (
            PackedSequence(data: output, layout: input.layout, sortedIndices: input.sortedIndices),
            last.map { reordered($0, by: places) }
        )
    }

    private func run(
        _ input: Tensor, packed: StepLayout?, sequences: [Int]?, states: [Tensor]?, dropout: DropoutStream?,
        keepsStates: Bool = true, layer: Layer
    ) -> (output: Tensor, states: [Tensor]) {
        let masks = options.dropout > 0 && layers.count > 1 ? dropout ?? DropoutMode.current?.next() : nil
        var flowing = input
        var ends: [[Tensor]] = []
        for (index, directions) in layers.enumerated() {
            if index > 0, let masks {
                flowing = flowing.dropout(
                    probability: options.dropout, stream: masks, layer: index, packed: packed, sequences: sequences)
            }
            let results = directions.enumerated().map { direction, weights in
                let place = index * options.directions + direction
                return layer(flowing, packed, weights, states?.map { $0[place] }, direction == 1)
            }
            flowing = results.count == 1 ? results[0].output : Tensor.concatenate(results.map(\.output), axis: -1)
            if keepsStates { ends += results.map(\.states) }
        }
        guard keepsStates else { return (flowing, []) }
        return (flowing, ends[0].indices.map { kind in Tensor.stack(ends.map { $0[kind] }) })
    }

    /// Stops at an initial state of another shape than `[L·D, B, …]`, without B for a single sequence.
    private func check(_ states: [Tensor]?, batch: Int?, for input: String) {
        let widths = [("hidden", options.outputSize), ("cell", options.hiddenSize)]
        for (state, (kind, width)) in zip(states ?? [], widths) {
            let expected = [layers.count * options.directions] + (batch.map { [$0] } ?? []) + [width]
            require(
                state.shape == expected, "\(name): \(kind) state \(state.shape) for \(input); expected \(expected)")
        }
    }

    /// The sequences of a state `[L·D, B, …]` in another order.
    private func reordered(_ state: Tensor, by order: [Int]) -> Tensor {
        let sources = (0..<state.shape[0]).flatMap { place in order.map { row -> Int? in place * order.count + row } }
        return state.gatheringRows(sources, rowShape: [state.shape[2]], shape: state.shape)
    }
}

extension RecurrentWeights {
    /// PyTorch's names, with the suffix of the layer; none for a cell.
    func named(suffix: String) -> [(name: String, parameter: Parameter)] {
        [
            ("weight_ih", inputHidden), ("weight_hh", hiddenHidden), ("bias_ih", biasInputHidden),
            ("bias_hh", biasHiddenHidden),
            ("weight_hr", projection),
        ].compactMap { name, parameter in parameter.map { (name + suffix, $0) } }
    }
}
