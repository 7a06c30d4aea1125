import Layers
import TensorCore
import Testing

@Suite struct `A dropout layer` {
    private func mask(_ stream: DropoutStream, p: Float = 0.3, count: Int = 20_000) -> [Float] {
        withDropout(stream) { Dropout(p: p)(Tensor(Array(repeating: 1, count: count))).values }
    }

    @Test func `does nothing outside of training`() {
        var numbers = TestNumbers(seed: testSeed)
        let input = numbers.tensor([3, 7])
        #expect(Dropout(p: 0.5)(input).bits == input.bits)
        _ = withDropout(DropoutStream(seed: 1, step: 0)) { Dropout(p: 0.5)(input) }
        #expect(Dropout(p: 0.5)(input).bits == input.bits)
    }

    @Test(arguments: [0.1, 0.3, 0.5, 0.9] as [Float]) func `drops its share and scales the rest`(p: Float) {
        let values = mask(DropoutStream(seed: testSeed, step: 0), p: p)
        #expect(values.allSatisfy { $0 == 0 || $0 == 1 / (1 - p) })
        let share = Float(values.count { $0 == 0 }) / Float(values.count)
        // Six standard deviations: one false alarm in 10⁹ seeds.
        #expect(abs(share - p) < 6 * (p * (1 - p) / Float(values.count)).squareRoot(), "\(share) dropped of \(p)")
    }

    @Test func `of everything gives zeros, of nothing the input`() {
        let stream = DropoutStream(seed: 1, step: 0)
        #expect(mask(stream, p: 1, count: 33).allSatisfy { $0 == 0 })
        #expect(mask(stream, p: 0, count: 33).allSatisfy { $0 == 1 })
        let input = Parameter([1, 2, 3], shape: [3])
        withDropout(stream) { Dropout(p: 1)(input.tensor).sum() }.backward()
        #expect(input.gradient?.values == [0, 0, 0])
    }

    @Test func `has masks that follow from the stream`() {
        let first = mask(DropoutStream(seed: 5, step: 2, firstRow: 3))
        #expect(first == mask(DropoutStream(seed: 5, step: 2, firstRow: 3)))
        #expect(first != mask(DropoutStream(seed: 6, step: 2, firstRow: 3)))
        #expect(first != mask(DropoutStream(seed: 5, step: 3, firstRow: 3)))
        #expect(first != mask(DropoutStream(seed: 5, step: 2, firstRow: 4)))
    }

    @Test func `has a mask of its own at every call`() {
        let ones = Tensor(Array(repeating: 1, count: 64))
        func calls() -> [[Float]] {
            withDropout(DropoutStream(seed: 9, step: 0)) { (0..<3).map { _ in Dropout()(ones).values } }
        }
        let masks = calls()
        #expect(Set(masks).count == 3)
        #expect(masks == calls())
    }

    @Test func `has the innermost stream`() {
        let (outer, inner) = (DropoutStream(seed: 1, step: 0), DropoutStream(seed: 2, step: 0))
        #expect(withDropout(outer) { mask(inner) } == mask(inner))
    }

    @Test func `hands gradients through what it kept, scaled`() {
        let input = Parameter(Array(repeating: 2, count: 100), shape: [4, 25])
        let output = withDropout(DropoutStream(seed: 3, step: 0)) { Dropout(p: 0.5)(input.tensor) }
        output.sum().backward()
        #expect(input.gradient?.values == output.values.map { $0 / 2 })
    }
}

@Suite struct `Dropout between layers` {
    private static let options = RecurrentCase(kind: .gru, inputs: 3, hidden: 17, layers: 3, dropout: 0.4)
    private let layer = AnyRecurrent(options)
    private let stream = DropoutStream(seed: 7, step: 4)

    @Test(arguments: RecurrentCase.Kind.allCases) func `draws nothing outside of training`(kind: RecurrentCase.Kind) {
        var numbers = TestNumbers(seed: testSeed)
        var (with, without) = (RecurrentCase(kind: kind, layers: 2), RecurrentCase(kind: kind, layers: 2))
        (with.dropout, without.dropout) = (0.5, 0)
        let input = numbers.tensor([4, 2, 3])
        let plain = AnyRecurrent(without)(input).output.bits
        #expect(AnyRecurrent(with)(input).output.bits == plain)
        #expect(withDropout(stream) { AnyRecurrent(with)(input).output.bits } != plain)
        #expect(withDropout(stream) { AnyRecurrent(without)(input).output.bits } == plain)
        #expect(AnyRecurrent(with)(input, dropout: stream).output.bits != plain)
        // There is nothing between the layers of one.
        (with.layers, without.layers) = (1, 1)
        let single = AnyRecurrent(with)
        #expect(withDropout(stream) { single(input).output.bits } == single(input).output.bits)
    }

    @Test func `belongs to the sequence, whatever the others' lengths`() {
        var numbers = TestNumbers(seed: testSeed)
        let lengths = [2, 5, 1, 4]
        let sequences = lengths.map { numbers.tensor([$0, 3]) }
        let packed = unpackSequence(layer(packSequence(sequences), dropout: stream).output)
        // The padded batch holds them in their own order; what comes after a sequence's end does not reach back.
        let padded = layer(padSequence(sequences), dropout: stream).output
        for (index, length) in lengths.enumerated() {
            #expect(packed[index].bits == padded.selected(index, axis: 1).sliced(0..<length, axis: 0).bits)
        }
        // As row 2 of a global batch of which this is all.
        let row = DropoutStream(seed: 7, step: 4, firstRow: 1)
        let alone = layer(sequences[1].reshaped([5, 1, 3]), dropout: row).output
        #expect(alone.bits == packed[1].bits)
        #expect(layer(sequences[1], dropout: stream).output.bits != packed[1].bits)
    }

    @Test func `is the same from a batch that comes first`() {
        var numbers = TestNumbers(seed: testSeed)
        var options = Self.options
        options.batchFirst = true
        let input = numbers.tensor([5, 4, 3])
        let swapped = AnyRecurrent(options)(input.transposed(0, 1), dropout: stream)
        #expect(swapped.output.transposed(0, 1).bits == layer(input, dropout: stream).output.bits)
    }

    @Test func `has other masks at every call of a forward pass`() {
        var numbers = TestNumbers(seed: testSeed)
        let input = numbers.tensor([5, 4, 3])
        let (first, second) = withDropout(stream) { (layer(input).output.bits, layer(input).output.bits) }
        #expect(first != second)
        #expect(withDropout(stream) { layer(input).output.bits } == first)
    }
}
