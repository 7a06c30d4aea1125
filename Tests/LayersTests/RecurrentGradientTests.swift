import Layers
import TensorCore
import Testing

/// A layer with the numbers that go in, and the weights of what comes out.
private struct Trial {
    let layer: AnyRecurrent
    let options: RecurrentCase
    let input: Parameter
    let states: [Parameter]
    /// `[T, B, D·P]`; zero behind the end of a sequence.
    private(set) var outputCotangent: Tensor
    private(set) var stateCotangents: [Tensor]
    /// Parameters by name: the module's, `input`, `state 0`, `state 1`.
    let leaves: [(name: String, parameter: Parameter)]

    init(_ options: RecurrentCase, seed: UInt64) {
        var numbers = TestNumbers(seed: seed)
        self.options = options
        layer = AnyRecurrent(options)
        for parameter in layer.module.parameters { parameter.assign(numbers.values(parameter.count, spread: 0.6)) }
        let leading = options.batchFirst ? [options.batch, options.steps] : [options.steps, options.batch]
        input = numbers.parameter(leading + [options.inputs])
        let places = options.layers * options.directions
        states =
            options.hasStates ? options.stateWidths.map { numbers.parameter([places, options.batch, $0]) } : []
        let width = options.directions * options.outputs
        let drawn = numbers.values(options.steps * options.batch * width)
        outputCotangent = Tensor(
            drawn.enumerated().map { index, value in
                let (time, sequence) = (index / (options.batch * width), index / width % options.batch)
                return time < options.lengths[sequence] ? value : 0
            }, shape: [options.steps, options.batch, width])
        stateCotangents = options.stateWidths.map { numbers.tensor([places, options.batch, $0]) }
        leaves =
            layer.module.namedParameters + [("input", input)]
            + states.enumerated().map { ("state \($0)", $1) }
    }

    /// Weighs one result only: 0 for the output, then the states.
    mutating func keepCotangent(_ place: Int) {
        if place != 0 { outputCotangent = Tensor.zeros(outputCotangent.shape) }
        for kind in stateCotangents.indices where place != kind + 1 {
            stateCotangents[kind] = Tensor.zeros(stateCotangents[kind].shape)
        }
    }

    /// Output `[T, B, D·P]` and last states.
    func results(constantHidden: Bool) -> (output: Tensor, states: [Tensor]) {
        let given =
            states.isEmpty
            ? nil : states.enumerated().map { constantHidden && $0 == 0 ? $1.tensor.detached : $1.tensor }
        if options.isPacked {
            let packed = packPaddedSequence(
                input.tensor, lengths: options.lengths, batchFirst: options.batchFirst)
            let (output, last) = layer(packed, states: given)
            return (padPackedSequence(output).output, last)
        }
        let (output, last) = layer(input.tensor, states: given)
        return (options.batchFirst ? output.transposed(0, 1) : output, last)
    }

    /// The same in double precision, from values by name.
    func reference(_ values: [String: [Double]]) -> (output: [Double], states: [[Double]]) {
        let model = RecurrentReference(options: options, weights: values)
        let (steps, batch, inputs) = (options.steps, options.batch, options.inputs)
        let places = options.layers * options.directions
        let width = options.directions * options.outputs
        var output = Array(repeating: 0.0, count: steps * batch * width)
        var last = options.stateWidths.map { Array(repeating: 0.0, count: places * batch * $0) }
        for sequence in 0..<batch {
            let x = (0..<options.lengths[sequence]).map { time in
                let row = options.batchFirst ? sequence * steps + time : time * batch + sequence
                return Array((values["input"] ?? [])[row * inputs..<(row + 1) * inputs])
            }
            let start = options.stateWidths.enumerated().map { kind, width in
                (0..<places).map { place in
                    let first = (place * batch + sequence) * width
                    return values["state \(kind)"].map { Array($0[first..<first + width]) }
                        ?? Array(repeating: 0, count: width)
                }
            }
            let (rows, ends) = model(x, states: start)
            for (time, row) in rows.enumerated() {
                output.replaceSubrange(
                    (time * batch + sequence) * width..<(time * batch + sequence + 1) * width, with: row)
            }
            for (kind, width) in options.stateWidths.enumerated() {
                for place in 0..<places {
                    let first = (place * batch + sequence) * width
                    last[kind].replaceSubrange(first..<first + width, with: ends[kind][place])
                }
            }
        }
        return (output, last)
    }

    func referenceLoss(_ values: [String: [Double]]) -> Double {
        let (output, states) = reference(values)
        return zip([output] + states, [outputCotangent] + stateCotangents).reduce(0) { sum, pair in
            sum + zip(pair.0, pair.1.values).reduce(0) { $0 + $1.0 * Double($1.1) }
        }
    }
}

@Suite struct `Recurrent layers agree with their definition, and their gradients with differences of it` {
    static let paddedCases: [RecurrentCase] = RecurrentCase.Kind.allCases.flatMap { kind in
        [
            RecurrentCase(kind: kind),
            RecurrentCase(kind: kind, bias: false, hasStates: false),
            RecurrentCase(kind: kind, layers: 2, batchFirst: true),
            RecurrentCase(kind: kind, layers: 2, bidirectional: true, lengths: [3, 3, 3]),
            RecurrentCase(kind: kind, inputs: 1, hidden: 1, lengths: [1]),
            RecurrentCase(kind: kind, inputs: 33, hidden: 17, bidirectional: true, lengths: [2, 2]),
            RecurrentCase(kind: kind, inputs: 17, hidden: 33, lengths: [2, 2]),
        ]
    }

    static let packedCases: [RecurrentCase] = RecurrentCase.Kind.allCases.flatMap { kind in
        [
            RecurrentCase(kind: kind, lengths: [2, 4, 1], isPacked: true),
            RecurrentCase(kind: kind, lengths: [4, 2, 1], isPacked: true, hasStates: false),
            RecurrentCase(kind: kind, bidirectional: true, lengths: [1, 3, 2, 3], isPacked: true),
            RecurrentCase(
                kind: kind, layers: 2, batchFirst: true, bidirectional: true, lengths: [2, 1, 3], isPacked: true),
            RecurrentCase(
                kind: kind, bias: false, bidirectional: true, lengths: [1, 3], isPacked: true, hasStates: false),
            RecurrentCase(kind: kind, inputs: 17, hidden: 17, bidirectional: true, lengths: [1, 2], isPacked: true),
            RecurrentCase(kind: kind, bidirectional: true, lengths: [2, 2], isPacked: true),
        ]
    }

    static let projectedCases: [RecurrentCase] = [
        RecurrentCase(kind: .lstm, projection: 2),
        RecurrentCase(kind: .lstm, layers: 2, bidirectional: true, projection: 3),
        RecurrentCase(kind: .lstm, hidden: 2, bias: false, projection: 1, hasStates: false),
        RecurrentCase(kind: .lstm, inputs: 5, hidden: 33, projection: 17, lengths: [2, 2]),
        RecurrentCase(kind: .lstm, layers: 2, bidirectional: true, projection: 2, lengths: [1, 3, 2], isPacked: true),
        RecurrentCase(kind: .lstm, projection: 4, lengths: [1, 3], isPacked: true, hasStates: false),
    ]

    static let oneResultCases: [RecurrentCase] =
        RecurrentCase.Kind.allCases.flatMap { kind in
            [
                RecurrentCase(kind: kind, bidirectional: true),
                RecurrentCase(kind: kind, bidirectional: true, lengths: [1, 3, 2], isPacked: true),
            ]
        } + [RecurrentCase(kind: .lstm, bidirectional: true, projection: 2, lengths: [1, 3], isPacked: true)]

    @Test(arguments: paddedCases) func `padded`(options: RecurrentCase) { check(options) }
    @Test(arguments: packedCases) func `packed`(options: RecurrentCase) { check(options) }
    @Test(arguments: projectedCases) func `with a projection`(options: RecurrentCase) { check(options) }

    @Test(arguments: oneResultCases, 0..<3)
    func `from one result alone, with a hidden state that asks for no gradient`(options: RecurrentCase, place: Int) {
        if place <= options.stateWidths.count { check(options, place) }
    }

    /// - Parameter place: the one result in the loss; nil for all of them.
    private func check(_ options: RecurrentCase, _ place: Int? = nil) {
        var trial = Trial(options, seed: testSeed)
        if let place { trial.keepCotangent(place) }
        let (output, last) = trial.results(constantHidden: place != nil)
        var values = Dictionary(
            uniqueKeysWithValues: trial.leaves.map { ($0.name, $0.parameter.values.map(Double.init)) })
        let expected = trial.reference(values)
        #expect(output.shape == trial.outputCotangent.shape)
        #expect(last.map(\.shape) == trial.stateCotangents.map(\.shape))
        expectClose(output.values, expected.output, 4e-6, "output")
        for (kind, state) in last.enumerated() {
            expectClose(state.values, expected.states[kind], 4e-6, "state \(kind)")
        }

        let terms = zip([output] + last, [trial.outputCotangent] + trial.stateCotangents).map { ($0, $1) }
        terms.enumerated().filter { place == nil || $0.offset == place }
            .map { weighted($0.element.0, $0.element.1) }.reduce(Tensor(0), +).backward()
        // A relu has kinks, and no curvature that would want a longer step.
        let step = options.kind == .relu ? 1e-7 : 1e-5
        for (name, parameter) in trial.leaves where place == nil || name != "state 0" {
            let original = values[name] ?? []
            // Of a large weight every so many elements; the stride is no multiple of a vector.
            let elements = stride(from: 0, to: original.count, by: original.count > 300 ? 23 : 1)
            let differences = elements.map { element in
                func loss(at offset: Double) -> Double {
                    values[name]?[element] = original[element] + offset
                    defer { values[name] = original }
                    return trial.referenceLoss(values)
                }
                return (loss(at: step) - loss(at: -step)) / (2 * step)
            }
            let gradient = parameter.gradient?.values ?? []
            #expect(parameter.gradient?.shape == parameter.shape, "\(name)")
            guard gradient.count == original.count else { continue }
            expectClose(elements.map { gradient[$0] }, differences, 1e-5, "gradient of \(name)")
        }
    }
}
