import Layers
import TensorCore
import Testing

@Suite struct `Recurrent layers over sequences of several lengths` {
    static let cases: [RecurrentCase] =
        RecurrentCase.Kind.allCases.flatMap { kind in
            [
                RecurrentCase(kind: kind, inputs: 1, hidden: 1, lengths: [1, 2]),
                RecurrentCase(kind: kind, inputs: 7, hidden: 13, layers: 2, lengths: [4, 1, 6, 4, 2]),
                RecurrentCase(kind: kind, inputs: 17, hidden: 33, layers: 2, bidirectional: true, lengths: [1, 5, 3]),
                RecurrentCase(kind: kind, hidden: 17, bidirectional: true, lengths: [3, 3, 1, 1]),
                RecurrentCase(kind: kind, bias: false, batchFirst: true, bidirectional: true, lengths: [2, 7, 1]),
            ]
        } + [
            RecurrentCase(
                kind: .lstm, inputs: 5, hidden: 17, layers: 2, bidirectional: true, projection: 7, lengths: [2, 1, 5])
        ]

    /// Sequences `[T, I]` and states, each of one sequence, that ask for gradients.
    private struct Leaves {
        let sequences: [Parameter]
        /// By kind and sequence, `[L·D, width]`.
        let states: [[Parameter]]

        init(_ options: RecurrentCase, _ numbers: inout TestNumbers) {
            sequences = options.lengths.map { numbers.parameter([$0, options.inputs]) }
            let places = options.layers * options.directions
            states = options.stateWidths.map { width in
                options.lengths.map { _ in numbers.parameter([places, width]) }
            }
        }

        var all: [Parameter] { sequences + states.flatMap(\.self) }
    }

    @Test(arguments: cases) func `give each what it would get alone`(options: RecurrentCase) {
        var numbers = TestNumbers(seed: testSeed)
        let layer = AnyRecurrent(options)
        let leaves = Leaves(options, &numbers)
        let cotangents = options.lengths.map { numbers.tensor([$0, options.directions * options.outputs]) }
        let stateCotangents = options.stateWidths.map { width in
            options.lengths.map { _ in numbers.tensor([options.layers * options.directions, width]) }
        }
        let parameters = layer.module.parameters + leaves.all

        let together = layer(
            packSequence(leaves.sequences.map(\.tensor)),
            states: leaves.states.map { Tensor.stack($0.map(\.tensor), axis: 1) })
        let outputs = unpackSequence(together.output)
        var loss = Tensor(0)
        for index in options.lengths.indices {
            loss = loss + weighted(outputs[index], cotangents[index])
            for (kind, state) in together.states.enumerated() {
                loss = loss + weighted(state.selected(index, axis: 1), stateCotangents[kind][index])
            }
        }
        loss.backward()
        let packed = parameters.map { $0.gradient?.values ?? [] }
        parameters.forEach { $0.zeroGradient() }

        for index in options.lengths.indices {
            let alone = layer(leaves.sequences[index].tensor, states: leaves.states.map { $0[index].tensor })
            #expect(alone.output.shape == outputs[index].shape)
            #expect(alone.output.bits == outputs[index].bits, "output of sequence \(index)")
            var loss = weighted(alone.output, cotangents[index])
            for (kind, state) in alone.states.enumerated() {
                #expect(
                    state.bits == together.states[kind].selected(index, axis: 1).bits,
                    "state \(kind) of sequence \(index)")
                loss = loss + weighted(state, stateCotangents[kind][index])
            }
            loss.backward()
        }
        for (index, parameter) in parameters.enumerated() {
            // Added in another order: where terms nearly cancel, their rounding is large beside the sum.
            expectNear(
                packed[index], parameter.gradient?.values ?? [], "gradient of parameter \(index)", tolerance: 2e-5)
        }
    }

    @Test(arguments: cases) func `of one length give the bits of a padded batch`(options: RecurrentCase) {
        var numbers = TestNumbers(seed: testSeed)
        let layer = AnyRecurrent(options)
        let (steps, batch) = (5, 3)
        let input = numbers.tensor(
            options.batchFirst ? [batch, steps, options.inputs] : [steps, batch, options.inputs])
        let padded = layer(input)
        let packed = layer(
            packPaddedSequence(input, lengths: [steps, steps, steps], batchFirst: options.batchFirst))
        let again = padPackedSequence(packed.output, batchFirst: options.batchFirst).output
        #expect(again.shape == padded.output.shape && again.bits == padded.output.bits)
        #expect(packed.states.map(\.bits) == padded.states.map(\.bits))
    }

    @Test(arguments: cases) func `of one length are the same batch first`(options: RecurrentCase) {
        var numbers = TestNumbers(seed: testSeed)
        var swapped = options
        swapped.batchFirst.toggle()
        let (first, second) = (AnyRecurrent(options, seed: 5), AnyRecurrent(swapped, seed: 5))
        let input = numbers.tensor([4, 3, options.inputs])
        let states = options.stateWidths.map {
            numbers.tensor([options.layers * options.directions, options.batchFirst ? 4 : 3, $0])
        }
        let (one, other) = (first(input, states: states), second(input.transposed(0, 1), states: states))
        #expect(one.output.transposed(0, 1).bits == other.output.bits)
        #expect(one.states.map(\.bits) == other.states.map(\.bits))
    }
}

@Suite struct `The direction from the last step to the first` {
    @Test(arguments: RecurrentCase.Kind.allCases, [[6], [1], [5, 2, 1, 5]])
    func `is the other one over the reversed sequence`(kind: RecurrentCase.Kind, lengths: [Int]) throws {
        var numbers = TestNumbers(seed: testSeed)
        let options = RecurrentCase(kind: kind, inputs: 7, hidden: 17, lengths: lengths)
        var both = options
        both.bidirectional = true
        let (twoWays, oneWay) = (AnyRecurrent(both), AnyRecurrent(options))
        let backward = Dictionary(
            uniqueKeysWithValues: twoWays.module.stateDict.compactMap { name, value in
                name.hasSuffix("_reverse") ? (String(name.dropLast(8)), value) : nil
            })
        try oneWay.module.load(stateDict: backward)
        let sequences = lengths.map { numbers.tensor([$0, 7]) }
        let states = options.stateWidths.map { numbers.tensor([2, lengths.count, $0]) }

        let (outputs, ends) = twoWays(packSequence(sequences), states: states)
        let (reversed, last) = oneWay(
            packSequence(sequences.map(backwards)), states: states.map { $0.sliced(1..<2, axis: 0) })
        for (one, other) in zip(unpackSequence(outputs), unpackSequence(reversed)) {
            #expect(one.columns(17..<34).bits == backwards(other).bits)
            #expect(one.columns(0..<17).bits != one.columns(17..<34).bits)
        }
        for (kind, state) in last.enumerated() { #expect(ends[kind][1].bits == state[0].bits) }
    }

    private func backwards(_ sequence: Tensor) -> Tensor {
        Tensor.stack((0..<sequence.shape[0]).reversed().map { sequence[$0] })
    }
}

@Suite struct `A single sequence` {
    @Test(arguments: RecurrentCase.Kind.allCases, [false, true])
    func `is a batch of one without its axis`(kind: RecurrentCase.Kind, batchFirst: Bool) {
        var numbers = TestNumbers(seed: testSeed)
        let options = RecurrentCase(kind: kind, hidden: 17, layers: 2, batchFirst: batchFirst, bidirectional: true)
        let layer = AnyRecurrent(options)
        let input = numbers.tensor([5, 3])
        let states = options.stateWidths.map { numbers.tensor([4, $0]) }
        let alone = layer(input, states: states)
        let batch = layer(
            input.reshaped(batchFirst ? [1, 5, 3] : [5, 1, 3]), states: states.map { $0.reshaped([4, 1, $0.shape[1]]) })
        #expect(alone.output.shape == [5, 34])
        #expect(alone.states.map(\.shape) == options.stateWidths.map { [4, $0] })
        #expect(alone.output.bits == batch.output.bits)
        #expect(alone.states.map(\.bits) == batch.states.map(\.bits))
    }

    @Test(arguments: RecurrentCase.Kind.allCases) func `without a state starts from zero`(kind: RecurrentCase.Kind) {
        var numbers = TestNumbers(seed: testSeed)
        let options = RecurrentCase(kind: kind, layers: 2, bidirectional: true)
        let layer = AnyRecurrent(options)
        let input = numbers.tensor([5, 3])
        let zero = layer(input, states: options.stateWidths.map { Tensor.zeros([4, $0]) })
        #expect(layer(input).output.bits == zero.output.bits)
    }
}
