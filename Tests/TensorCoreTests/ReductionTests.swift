import TensorCore
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct `Reductions` {
    private static let axes: [([Int], [Int])] = [
        ([5], [0]), ([3, 5], [0]), ([3, 5], [1]), ([3, 5], [-2]), ([2, 3, 17], [0, 1]), ([2, 3, 17], [1]),
        ([2, 3, 17], [-1, 0]), ([2, 3, 5], [0, 1, 2]), ([2, 3, 5], []), ([2, 0, 3], [1]), ([4, 1, 3], [1]), ([], [0]),
    ]

    /// Over the axes, at the indices of the kept shape.
    private static func sums(_ x: Reference, _ axes: [Int], keepDims: Bool, _ term: (Double, [Int]) -> Double)
        -> Reference
    {
        let gone = Set(axes.map { $0 < 0 ? $0 + x.shape.count : $0 })
        let kept = x.shape.enumerated().map { gone.contains($0) ? 1 : $1 }
        var result = Reference(shape: kept) { _ in 0 }
        for index in Reference.indices(x.shape) {
            let place = index.enumerated().map { gone.contains($0) ? 0 : $1 }
            let flat = zip(place, kept).reduce(0) { $0 * $1.1 + $1.0 }
            result.values[flat] += term(x[index], place)
        }
        let reduced = x.shape.enumerated().filter { !gone.contains($0.offset) }.map(\.element)
        return Reference(result.values, shape: keepDims ? kept : reduced)
    }

    @Test(arguments: axes, [false, true])
    func `sum and mean over axes`(of case: ([Int], [Int]), keepDims: Bool) {
        let (shape, axes) = `case`
        expectAgreement(of: [shape]) {
            $0[0].sum(axes: axes, keepDims: keepDims)
        } reference: {
            Self.sums($0[0], axes, keepDims: keepDims) { value, _ in value }
        }
        let count = axes.reduce(1) { shape.isEmpty ? $0 : $0 * shape[$1 < 0 ? $1 + shape.count : $1] }
        guard count > 0 else { return }
        expectAgreement(of: [shape]) {
            $0[0].mean(axes: axes, keepDims: keepDims)
        } reference: {
            Self.sums($0[0], axes, keepDims: keepDims) { value, _ in value / Double(count) }
        }
        guard count > 1 else { return }
        expectAgreement(of: [shape]) {
            $0[0].variance(axes: axes, keepDims: keepDims)
        } reference: { x in
            let means = Self.sums(x[0], axes, keepDims: true) { value, _ in value / Double(count) }
            return Self.sums(x[0], axes, keepDims: keepDims) { value, place in
                (value - means[place]) * (value - means[place]) / Double(count - 1)
            }
        }
    }

    @Test func `sum and mean of everything`() {
        expectAgreement(of: [[3, 5]]) {
            $0[0].sum()
        } reference: {
            Reference([$0[0].values.reduce(0, +)], shape: [])
        }
        expectAgreement(of: [[3, 5]]) {
            $0[0].mean()
        } reference: {
            Reference([$0[0].values.reduce(0, +) / 15], shape: [])
        }
    }

    @Test func `hand cases`() {
        let x = Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])
        #expect(x.sum(axis: 0).values == [5, 7, 9])
        #expect(x.sum(axis: 1).values == [6, 15] && x.sum(axis: -1, keepDims: true).shape == [2, 1])
        #expect(x.mean(axis: 1).values == [2, 5] && x.mean().item == 3.5)
        #expect(x.variance(axis: 1).values == [1, 1])
        #expect(x.variance(axis: 0, correction: 0).values == [2.25, 2.25, 2.25])
    }

    @Test func `a sum over an axis is one chain in index order, whatever the layout`() {
        var numbers = TestNumbers(seed: 12)
        let shape = [41, 3, 37]
        let x = numbers.tensor(shape, spread: 100)
        let values = x.values
        /// One chain for each remaining index, in row-major order.
        func chains(_ axes: Set<Int>) -> [Float] {
            var result = Array(
                repeating: Float(0), count: (0..<3).reduce(1) { axes.contains($1) ? $0 : $0 * shape[$1] })
            for (flat, index) in Reference.indices(shape).enumerated() {
                let kept = (0..<3).filter { !axes.contains($0) }
                result[kept.reduce(0) { $0 * shape[$1] + index[$1] }] += values[flat]
            }
            return result
        }
        let active = InstructionSet.active
        defer { try? InstructionSet.select(active.rawValue) }
        for set in InstructionSet.available {
            try? InstructionSet.select(set.rawValue)
            for axes: Set in [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]] {
                #expect(x.sum(axes: Array(axes)).values == chains(axes), "\(set), axes \(axes)")
            }
        }
    }

    @Test(arguments: [0, 1, 2, -1])
    func `largest and smallest along an axis, with their gradient to the one found`(axis: Int) {
        let shape = [3, 4, 5]
        let place = axis < 0 ? axis + 3 : axis
        func reference(_ better: @escaping (Double, Double) -> Bool) -> ([Reference]) -> Reference {
            { x in
                var kept = shape
                kept.remove(at: place)
                return Reference(shape: kept) { index in
                    let line = (0..<shape[place]).map { step in x[0][index[..<place] + [step] + index[place...]] }
                    return line.dropFirst().reduce(line[0]) { better($1, $0) ? $1 : $0 }
                }
            }
        }
        expectAgreement(of: [shape]) {
            $0[0].max(axis: axis).values
        } reference: {
            reference { $0 > $1 }($0)
        }
        expectAgreement(of: [shape]) {
            $0[0].min(axis: axis).values
        } reference: {
            reference { $0 < $1 }($0)
        }
    }

    @Test func `the first of equal ones is found, and NaN before everything`() {
        let x = Tensor([1, 3, 3, 0, 2, 0, 0, 1], shape: [2, 4])
        #expect(x.max(axis: 1).values.values == [3, 2] && x.max(axis: 1).indices == IntTensor([1, 0]))
        #expect(x.min(axis: 1).indices == IntTensor([3, 1]))
        #expect(x.max(axis: 0, keepDims: true).indices == IntTensor([1, 0, 0, 1], shape: [1, 4]))
        #expect(x.argmax(axis: -1) == IntTensor([1, 0]))
        #expect(x.argmax(axis: 0, keepDims: true).shape == [1, 4])
        #expect(x.argmax() == IntTensor([1], shape: []))
        #expect(x.argmaxOfRows() == [1, 0])
        #expect(gradient(of: x, cotangent: [5, 7]) { $0.max(axis: 1).values } == [0, 5, 0, 0, 7, 0, 0, 0])
        #expect(Tensor([1, .nan, 5, .nan]).max(axis: 0).indices == IntTensor([1], shape: []))
        #expect(Tensor([1, .nan, 5, .nan]).min(axis: 0).indices == IntTensor([1], shape: []))
    }

    @Test(arguments: [0, 1, 2, -1])
    func `softmax and its logarithm along an axis`(axis: Int) {
        let shape = [3, 4, 17]
        let place = axis < 0 ? axis + 3 : axis
        func shares(_ x: Reference) -> Reference {
            Reference(shape: shape) { index in
                let line = (0..<shape[place]).map { step in
                    var other = index
                    other[place] = step
                    return x[other]
                }
                return exp(x[index]) / line.reduce(0) { $0 + exp($1) }
            }
        }
        expectAgreement(of: [shape], spread: 4) {
            $0[0].softmax(axis: axis)
        } reference: {
            shares($0[0])
        }
        expectAgreement(of: [shape], spread: 4) {
            $0[0].logSoftmax(axis: axis)
        } reference: {
            shares($0[0]).map { log($0) }
        }
    }

    @Test func `softmax of hand cases`() {
        #expect(Tensor([0, 0, 0, 0], shape: [2, 2]).softmax().values == [0.5, 0.5, 0.5, 0.5])
        #expect(Tensor([1000, 0], shape: [2]).softmax().values == [1, 0])
        #expect(Tensor([1000, 0], shape: [2]).logSoftmax().values == [0, -1000])
        #expect(Tensor(3).softmax().values == [1] && Tensor(3).logSoftmax().values == [0])
        #expect(Tensor.zeros([2, 0]).softmax().shape == [2, 0])
    }
}
