import TensorCore
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Pairs of shapes that meet, and the shape in which they do.
private let meetings: [([Int], [Int], [Int])] = [
    ([3, 5], [3, 5], [3, 5]), ([2, 3, 5], [5], [2, 3, 5]), ([5], [2, 3, 5], [2, 3, 5]), ([3, 1], [1, 5], [3, 5]),
    ([2, 1, 17], [3, 1], [2, 3, 17]), ([2, 3], [], [2, 3]), ([], [2, 3], [2, 3]), ([], [], []), ([1], [1, 1], [1, 1]),
    ([4, 1, 3, 1], [2, 1, 33], [4, 2, 3, 33]), ([3, 1], [3, 7], [3, 7]), ([0, 3], [3], [0, 3]),
]

@Suite struct `Arithmetic` {
    @Test(arguments: meetings)
    func `broadcasts, and its gradients are summed over what was stretched`(a: [Int], b: [Int], shape: [Int]) {
        func check(
            _ operation: (Tensor, Tensor) -> Tensor, _ formula: (Double, Double) -> Double,
            prepare: (Float) -> Float = { $0 }
        ) {
            expectAgreement(of: [a, b], prepare: prepare) {
                operation($0[0], $0[1])
            } reference: { x in
                Reference(shape: shape) { formula(x[0].stretched($0), x[1].stretched($0)) }
            }
        }
        check({ $0 + $1 }, { $0 + $1 })
        check({ $0 - $1 }, { $0 - $1 })
        check({ $0 * $1 }, { $0 * $1 })
        check({ $0 / $1 }, { $0 / $1 }, prepare: { $0 < 0 ? $0 - 0.5 : $0 + 0.5 })
        check({ Tensor.maximum($0, $1) }, { max($0, $1) })
        check({ Tensor.minimum($0, $1) }, { min($0, $1) })
    }

    @Test func `hand cases`() {
        let (a, b) = (Tensor([1, 2, 3, 4], shape: [2, 2]), Tensor([10, 20]))
        #expect((a + b).values == [11, 22, 13, 24])
        #expect((a - b).values == [-9, -18, -7, -16])
        #expect((b - a).values == [9, 18, 7, 16])
        #expect((a * b).values == [10, 40, 30, 80])
        #expect((b / a).values == [10, 10, 10 / 3, 5])
        #expect((a * Tensor([10, 20], shape: [2, 1])).values == [10, 20, 60, 80])
        #expect((-a).values == [-1, -2, -3, -4])
        #expect((a + 1).values == [2, 3, 4, 5] && (1 + a).values == [2, 3, 4, 5])
        #expect((a - 1).values == [0, 1, 2, 3] && (1 - a).values == [0, -1, -2, -3])
        #expect((a * 2).values == [2, 4, 6, 8] && (2 * a).values == [2, 4, 6, 8])
        #expect((a / 2).values == [0.5, 1, 1.5, 2] && (12 / a).values == [12, 6, 4, 3])
    }

    @Test func `equal elements share the gradient of maximum and minimum`() {
        for operation in [Tensor.maximum, Tensor.minimum] {
            let (a, b) = (Parameter([1, 2, 3], shape: [3]), Parameter([1, 4, 0], shape: [3]))
            let result = operation(a.tensor, b.tensor)
            result.backward(cotangent: Tensor([8, 8, 8]))
            let larger: [Float] = result.values[1] == 4 ? [4, 0, 8] : [4, 8, 0]
            #expect(a.gradient?.values == larger)
            #expect(b.gradient?.values == larger.map { 8 - $0 })
        }
        #expect(Tensor.maximum(Tensor([.nan, 1]), Tensor([1, .nan])).values.allSatisfy { $0.isNaN })
        #expect(Tensor.minimum(Tensor([.nan, 1]), Tensor([1, .nan])).values.allSatisfy { $0.isNaN })
    }

    @Test func `numbers on either side`() {
        func check(_ operation: (Tensor) -> Tensor, _ formula: (Double) -> Double) {
            expectAgreement(of: [[3, 7]], prepare: { $0 < 0 ? $0 - 0.5 : $0 + 0.5 }) {
                operation($0[0])
            } reference: {
                $0[0].map(formula)
            }
        }
        check({ -$0 }, { -$0 })
        check({ $0 + 0.75 }, { $0 + 0.75 })
        check({ 0.75 + $0 }, { 0.75 + $0 })
        check({ $0 - 0.75 }, { $0 - 0.75 })
        check({ 0.75 - $0 }, { 0.75 - $0 })
        check({ $0 * 0.75 }, { $0 * 0.75 })
        check({ 0.75 * $0 }, { 0.75 * $0 })
        check({ $0 / 0.75 }, { $0 / 0.75 })
        check({ 0.75 / $0 }, { 0.75 / $0 })
    }

    @Test func `a value on both sides gets both gradients`() {
        expectAgreement(of: [[3, 4]]) {
            $0[0] * $0[0] - $0[0] / ($0[0].squared() + 1)
        } reference: {
            $0[0].map { $0 * $0 - $0 / ($0 * $0 + 1) }
        }
    }
}

@Suite struct `Elementary functions` {
    /// Away from 0 by half, where some of them have a kink or a pole.
    private static func apart(_ x: Float) -> Float { x < 0 ? x - 0.5 : x + 0.5 }

    private func check(
        _ operation: (Tensor) -> Tensor, _ formula: (Double) -> Double, prepare: (Float) -> Float = apart
    ) {
        expectAgreement(of: [[3, 17]], seed: 5, spread: 2, prepare: prepare) {
            operation($0[0])
        } reference: {
            $0[0].map(formula)
        }
    }

    @Test func `agree with their formula in double precision, and so do their gradients`() {
        check({ $0.squared() }, { $0 * $0 })
        check({ $0.sqrt() }, { $0.squareRoot() }, prepare: { abs($0) + 0.25 })
        check({ $0.exp() }, { exp($0) })
        check({ $0.log() }, { log($0) }, prepare: { abs($0) + 0.25 })
        check({ $0.abs() }, { abs($0) })
        check({ $0.softplus() }, { log1p(exp($0)) })
        check({ $0.tanh() }, { tanh($0) })
        check({ $0.sigmoid() }, { 1 / (1 + exp(-$0)) })
        check({ $0.relu() }, { max($0, 0) })
        for exponent in [-3, -1, 0, 1, 2, 5] {
            check({ $0.pow(exponent) }, { pow($0, Double(exponent)) })
        }
        check({ $0.clamp(min: -1.1, max: 1.3) }, { min(max($0, -1.1), 1.3) })
        check({ $0.clamp(min: 0) }, { max($0, 0) })
        check({ $0.clamp(max: 0) }, { min($0, 0) })
    }

    @Test func `hand cases`() {
        #expect(Tensor([4, 9, 2]).sqrt().values == [2, 3, Float(2).squareRoot()])
        #expect(Tensor([-2, 0, 3]).squared().values == [4, 0, 9])
        #expect(Tensor([-2, 0, 3]).abs().values == [2, 0, 3])
        #expect(Tensor([-2, 0, 3]).pow(3).values == [-8, 0, 27])
        #expect(Tensor([-2, 0.5]).pow(-2).values == [0.25, 4])
        #expect(Tensor([0, 1]).exp().values == [1, Float(M_E)])
        #expect(Tensor([-3, -1, 0, 1, 3]).clamp(min: -1, max: 2).values == [-1, -1, 0, 1, 2])
        #expect(Tensor([0, 3]).clamp(min: 2, max: 1).values == [1, 1])
        #expect(Tensor([.nan]).clamp(min: 2, max: 3).values[0].isNaN)
    }

    @Test func `gradients at a kink are PyTorch's`() {
        #expect(gradient(of: Tensor([-2, 0, 3]), cotangent: [5, 5, 5]) { $0.abs() } == [-5, 0, 5])
        #expect(
            gradient(of: Tensor([-1, 0, 1, 2]), cotangent: [1, 1, 1, 1]) { $0.clamp(min: 0, max: 1) } == [0, 1, 1, 0])
        #expect(gradient(of: Tensor([0, 2]), cotangent: [1, 1]) { $0.pow(0) } == [0, 0])
    }

    @Test func `softplus keeps its digits where it is small, and does not overflow where it is large`() {
        let x: [Float] = [-80, -30, -17, -16, -5, 0, 5, 50, 200]
        for (got, input) in zip(Tensor(x).softplus().values, x) {
            let wanted = max(Double(input), 0) + log1p(exp(-abs(Double(input))))
            #expect(abs(Double(got) - wanted) <= 3e-7 * wanted, "softplus(\(input)) is \(got), wanted \(wanted)")
        }
        #expect(Tensor([.infinity, -.infinity]).softplus().values == [.infinity, 0])
    }
}
