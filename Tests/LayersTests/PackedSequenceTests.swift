import Layers
import TensorCore
import Testing

@Suite struct `A packed sequence` {
    /// Three sequences of 2, 3 and 1 steps side by side; 0 is padding. `[3, 3]`
    private let padded = Tensor([11, 21, 31, 12, 22, 0, 0, 23, 0], shape: [3, 3])

    @Test func `holds the first steps of all, then the second steps of those that have one`() {
        let packed = packPaddedSequence(padded, lengths: [2, 3, 1])
        #expect(packed.data.values == [21, 11, 31, 22, 12, 23])
        #expect(packed.data.shape == [6])
        #expect(packed.batchSizes == [3, 2, 1])
        #expect(packed.sortedIndices == [1, 0, 2])
        #expect(packed.unsortedIndices == [1, 0, 2])
        #expect(packed.lengths == [2, 3, 1])
    }

    @Test func `of equal lengths keeps the order`() {
        let packed = packPaddedSequence(Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3]), lengths: [2, 2, 2])
        #expect(packed.data.values == [1, 2, 3, 4, 5, 6])
        #expect(packed.sortedIndices == [0, 1, 2])
        #expect(packed.batchSizes == [3, 3])
    }

    @Test func `among equal ones keeps the order`() {
        let packed = packPaddedSequence(Tensor.zeros([3, 5, 1]), lengths: [1, 3, 2, 3, 1])
        #expect(packed.sortedIndices == [1, 3, 2, 0, 4])
        #expect(packed.unsortedIndices == [3, 0, 2, 1, 4])
        #expect(packed.batchSizes == [5, 3, 2])
    }

    @Test func `is the same from a batch that comes first`() {
        let other = packPaddedSequence(padded.transposed(0, 1), lengths: [2, 3, 1], batchFirst: true)
        #expect(other.data.values == packPaddedSequence(padded, lengths: [2, 3, 1]).data.values)
        #expect(other.batchSizes == [3, 2, 1])
    }

    @Test func `is padded again in the order in which it was given`() {
        let packed = packPaddedSequence(padded, lengths: [2, 3, 1])
        let (again, lengths) = padPackedSequence(packed)
        #expect(again.shape == [3, 3] && again.values == padded.values)
        #expect(lengths == [2, 3, 1])
        let (first, _) = padPackedSequence(packed, batchFirst: true, paddingValue: -1, totalLength: 4)
        #expect(first.shape == [3, 4])
        #expect(first.values == [11, 12, -1, -1, 21, 22, 23, -1, 31, -1, -1, -1])
        let (longer, _) = padPackedSequence(packed, paddingValue: 9, totalLength: 4)
        #expect(longer.values == [11, 21, 31, 12, 22, 9, 9, 23, 9, 9, 9, 9])
    }

    @Test func `leaves out steps that no sequence has`() {
        let packed = packPaddedSequence(padded, lengths: [1, 2, 1])
        #expect(packed.batchSizes == [3, 1])
        #expect(padPackedSequence(packed).output.shape == [2, 3])
    }

    @Test func `of separate sequences falls into them again`() {
        let sequences = [
            Tensor([1, 2, 3, 4], shape: [2, 2]), Tensor([5, 6], shape: [1, 2]),
            Tensor([7, 8, 9, 10, 11, 12], shape: [3, 2]),
        ]
        let packed = packSequence(sequences)
        #expect(packed.data.values == [7, 8, 1, 2, 5, 6, 9, 10, 3, 4, 11, 12])
        let again = unpackSequence(packed)
        #expect(again.map(\.shape) == sequences.map(\.shape))
        #expect(again.map(\.values) == sequences.map(\.values))
    }

    @Test func `is made of sequences with any further axes`() {
        var numbers = TestNumbers(seed: testSeed)
        let sequences = [numbers.tensor([2, 3, 2]), numbers.tensor([4, 3, 2])]
        #expect(unpackSequence(packSequence(sequences)).map(\.bits) == sequences.map(\.bits))
        #expect(packSequence(sequences).data.shape == [6, 3, 2])
    }

    @Test func `takes other features row by row`() {
        let packed = packPaddedSequence(padded, lengths: [2, 3, 1])
        let changed = packed.map { Tensor.stack([$0, $0 * 2], axis: 1) }
        #expect(changed.data.shape == [6, 2])
        #expect(changed.lengths == [2, 3, 1])
        #expect(unpackSequence(changed)[0].values == [11, 22, 12, 24])
    }

    @Test func `hands gradients to the steps it holds, and none to padding`() {
        let input = Parameter(padded.values, shape: [3, 3])
        let packed = packPaddedSequence(input.tensor, lengths: [2, 3, 1])
        packed.data.backward(cotangent: Tensor([1, 2, 3, 4, 5, 6]))
        #expect(input.gradient?.values == [2, 1, 3, 5, 4, 0, 0, 6, 0])
    }

    @Test func `gets gradients from the steps it filled, and none from padding`() {
        let data = Parameter([21, 11, 31, 22, 12, 23], shape: [6])
        let layout = packPaddedSequence(padded, lengths: [2, 3, 1])
        let (again, _) = padPackedSequence(
            layout.map { _ in data.tensor }, batchFirst: true, paddingValue: 7, totalLength: 4)
        again.backward(cotangent: Tensor((1...12).map(Float.init), shape: [3, 4]))
        #expect(data.gradient?.values == [5, 1, 9, 6, 2, 7])
    }

    @Test func `hands gradients to separate sequences`() {
        let sequences = [Parameter([1, 2], shape: [2]), Parameter([3], shape: [1])]
        let parts = unpackSequence(packSequence(sequences.map(\.tensor)))
        (parts[0] * Tensor([5, 7])).sum().backward()
        #expect(sequences[0].gradient?.values == [5, 7])
        #expect(sequences[1].gradient?.values == [0])
    }

    @Test(arguments: 0..<20) func `comes back from packing and padding, whatever the lengths`(trial: UInt64) {
        var numbers = TestNumbers(seed: testSeed &+ trial)
        let lengths = (0..<Int.random(in: 1...9, using: &numbers)).map { _ in Int.random(in: 1...7, using: &numbers) }
        let sequences = lengths.map { numbers.tensor([$0, 3]) }
        let packed = packSequence(sequences)
        #expect(packed.lengths == lengths)
        #expect(zip(packed.batchSizes, packed.batchSizes.dropFirst()).allSatisfy { $0 >= $1 })
        #expect(packed.data.shape == [lengths.reduce(0, +), 3])
        #expect(unpackSequence(packed).map(\.bits) == sequences.map(\.bits))
        let (side, found) = padPackedSequence(packed, batchFirst: true, paddingValue: -2)
        #expect(side.bits == padSequence(sequences, batchFirst: true, paddingValue: -2).bits)
        #expect(found == lengths)
    }

    @Test func `pads separate sequences`() {
        let (short, long) = (Tensor([1], shape: [1]), Tensor([2, 3], shape: [2]))
        #expect(padSequence([short, long]).values == [1, 2, 0, 3])
        #expect(padSequence([short, long], batchFirst: true, paddingValue: 9).values == [1, 9, 2, 3])
        #expect(padSequence([short, long], batchFirst: true).shape == [2, 2])
    }
}
