import TensorCore
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct `Numerics` {
    @Test func `the fingerprint is the same for every instruction set`() throws {
        let active = InstructionSet.active
        defer { try? InstructionSet.select(active.rawValue) }
        var fingerprints: [NumericsFingerprint] = []
        for set in InstructionSet.available {
            try InstructionSet.select(set.rawValue)
            fingerprints.append(.measure())
        }
        #expect(fingerprints.count >= 1)
        #expect(Set(fingerprints.map(\.hex)).count == 1)
        #expect(fingerprints[0].hex.count == 64)
    }

    @Test func `operations and their gradients have the same bits on every instruction set`() throws {
        let active = InstructionSet.active
        defer { try? InstructionSet.select(active.rawValue) }
        var results: [[UInt32]] = []
        for set in InstructionSet.available {
            try InstructionSet.select(set.rawValue)
            var numbers = TestNumbers(seed: 51)
            let (x, w) = (numbers.parameter([3, 5, 37]), numbers.parameter([37, 41]))
            let (row, column) = (numbers.parameter([41]), numbers.parameter([3, 5, 1]))
            let y = Tensor.matmul(x.tensor, w.tensor) * row.tensor / (column.tensor.squared() + 0.5)
            let whole = Tensor.concatenate([y.softmax(), y.softplus(), y.logSoftmax(axis: 1)], axis: 1)
            let parts = whole.split(5, axis: 1)
            let joined = parts[0].exp() + (parts[1] + 1).log() - parts[2].abs().sqrt().clamp(max: 1.5)
            let chosen = joined.indexSelect(IntTensor([2, 0, 2])).permuted([1, 2, 0])
            let result = chosen.variance(axis: 0).max(axis: -1).values
            result.backward(cotangent: numbers.tensor(result.shape))
            let gradients = [x, w, row, column].flatMap { $0.gradient?.values ?? [] }
            #expect(gradients.allSatisfy { $0.isFinite })
            results.append((result.values + gradients).map(\.bitPattern))
        }
        #expect(Set(results).count == 1)
        #expect(results[0].count == 41 + 3 * 5 * 37 + 37 * 41 + 41 + 15)
    }

    @Test func `an unknown instruction set is refused with the ones there are`() {
        #expect(throws: InstructionSetError.self) { try InstructionSet.select("mmx") }
    }

    @Test func `the cosine agrees with the C library's`() {
        for index in 0...1000 {
            let x = Double(index) / 1000
            #expect(abs(Elementary.cosineOfPi(times: x) - cos(Double.pi * x)) < 4e-16)
        }
        #expect(Elementary.cosineOfPi(times: 0.5) == 0)
        for x in stride(from: -9.75, through: 9.75, by: 0.125) {
            #expect(abs(Elementary.cosineOfPi(times: x) - cos(Double.pi * x)) < 1e-14)
            #expect(Elementary.cosineOfPi(times: x) == Elementary.cosineOfPi(times: x + 4))
            #expect(Elementary.cosineOfPi(times: x) == Elementary.cosineOfPi(times: -x))
        }
    }

    @Test func `a dropout mask depends on the global row, not on where the batch begins`() {
        let ones = Tensor(Array(repeating: 1, count: 4 * 6 * 33), shape: [4, 6, 33])
        let whole = ones.dropout(probability: 0.3, stream: DropoutStream(seed: 9, step: 5), layer: 1)
        let half = Tensor(Array(repeating: 1, count: 4 * 3 * 33), shape: [4, 3, 33])
            .dropout(probability: 0.3, stream: DropoutStream(seed: 9, step: 5, firstRow: 3), layer: 1)
        for time in 0..<4 {
            #expect(half[time].values == Array(whole[time].values[3 * 33..<6 * 33]))
        }
        let kept = whole.values.filter { $0 != 0 }
        #expect(abs(Double(kept.count) / Double(whole.count) - 0.7) < 0.06)
        #expect(Set(kept) == [1 / (1 - 0.3)])
    }

    @Test(arguments: [(9, 6, 1), (10, 5, 1), (9, 5, 2)])
    func `dropout masks of other seeds, steps and layers differ`(seed: UInt64, step: UInt64, layer: Int) {
        let ones = Tensor(Array(repeating: 1, count: 4 * 6 * 33), shape: [4, 6, 33])
        let first = ones.dropout(probability: 0.3, stream: DropoutStream(seed: 9, step: 5), layer: 1)
        let other = ones.dropout(probability: 0.3, stream: DropoutStream(seed: seed, step: step), layer: layer)
        #expect(first.values != other.values)
    }
}
