import Layers
import TensorCore
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct `Losses against numbers` {
    private func check(
        _ loss: @escaping (Tensor, Tensor, Reduction) -> Tensor, _ formula: @escaping (Double, Double) -> Double
    ) {
        for shape in [[1], [3, 7], [2, 3, 5], []] {
            let count = shape.reduce(1, *)
            let (x, y) = (scattered(count), scattered(count, from: 200))
            func reference(_ x: [Double], _ y: [Double]) -> (each: [Double], total: Double) {
                (zip(x, y).map(formula), Double(count))
            }
            expectLoss(x, shape: shape) {
                loss($0, Tensor(y, shape: shape), $1)
            } reference: {
                reference($0, y.map(Double.init))
            }
            expectLoss(y, shape: shape) {
                loss(Tensor(x, shape: shape), $0, $1)
            } reference: {
                reference(x.map(Double.init), $0)
            }
        }
    }

    @Test func `squared and absolute differences`() {
        check({ mseLoss($0, $1, reduction: $2) }, { ($0 - $1) * ($0 - $1) })
        check({ l1Loss($0, $1, reduction: $2) }, { abs($0 - $1) })
        check({ MSELoss(reduction: $2)($0, $1) }, { ($0 - $1) * ($0 - $1) })
        check({ L1Loss(reduction: $2)($0, $1) }, { abs($0 - $1) })
    }

    @Test(arguments: [0.5, 1, 2] as [Float])
    func `rounded at the kink`(bound: Float) {
        let bound64 = Double(bound)
        check(
            { SmoothL1Loss(reduction: $2, beta: bound)($0, $1) },
            { x, y in
                let d = abs(x - y)
                return d < bound64 ? d * d / 2 / bound64 : d - bound64 / 2
            })
        check(
            { HuberLoss(reduction: $2, delta: bound)($0, $1) },
            { x, y in
                let d = abs(x - y)
                return d <= bound64 ? d * d / 2 : bound64 * (d - bound64 / 2)
            })
    }

    @Test func `hand cases`() {
        let (x, y) = (Tensor([1, 2, 5]), Tensor([1, 4, 2]))
        #expect(mseLoss(x, y, reduction: .none).values == [0, 4, 9] && mseLoss(x, y, reduction: .sum).item == 13)
        #expect(l1Loss(x, y).item == 5 / 3 as Float)
        #expect(smoothL1Loss(x, y, reduction: .none, beta: 3).values == [0, 2 / 3, 1.5])
        #expect(smoothL1Loss(x, y, reduction: .none, beta: 0).values == [0, 2, 3])
        #expect(huberLoss(x, y, reduction: .none, delta: 2).values == [0, 2, 4])
        let equal = Parameter([1], shape: [1])
        l1Loss(equal.tensor, Tensor([1])).backward()
        #expect(equal.gradient?.values == [0])
    }

    @Test func `binary cross-entropy with logits`() {
        func loss(_ x: Double, _ y: Double, _ p: Double = 1) -> Double {
            -p * y * log(1 / (1 + exp(-x))) - (1 - y) * log(1 / (1 + exp(x)))
        }
        check({ binaryCrossEntropyWithLogits($0, $1, reduction: $2) }, { loss($0, $1) })
        let (x, y) = (scattered(12), scattered(12, from: 90).map { abs($0) / 3 })
        let (weight, posWeight): ([Float], [Float]) = ([0.5, 2, 1], [3, 0.25, 1])
        expectLoss(x, shape: [4, 3]) {
            BCEWithLogitsLoss(weight: Tensor(weight), reduction: $1, posWeight: Tensor(posWeight))(
                $0, Tensor(y, shape: [4, 3]))
        } reference: { x in
            (x.indices.map { Double(weight[$0 % 3]) * loss(x[$0], Double(y[$0]), Double(posWeight[$0 % 3])) }, 12)
        }
    }

    @Test func `large logits neither overflow nor lose the small loss`() {
        let x = Parameter([100, -100, 1000, -1000, -20], shape: [5])
        let result = binaryCrossEntropyWithLogits(x.tensor, Tensor([0, 1, 1, 0, 0]), reduction: .none)
        #expect(Array(result.values.prefix(4)) == [100, 100, 0, 0])
        expectClose([result.values[4] * 1e9], [exp(-20.0) * 1e9], 1e-6, "a small loss")
        result.sum().backward()
        #expect(Array((x.gradient?.values ?? []).prefix(4)) == [1, -1, 0, 0])
    }
}
