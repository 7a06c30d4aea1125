import TensorCore
import Testing

@Suite struct `Shapes that disagree stop with the operation and both shapes` {
    @Test func `sum`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]) + Tensor.zeros([2, 4])
        }
        expect(result, says: "+: shapes [2, 3] and [2, 4] differ")
    }

    @Test func `difference`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]) - Tensor.zeros([3, 2])
        }
        expect(result, says: "-: shapes [2, 3] and [3, 2] differ")
    }

    @Test func `product`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]) * Tensor.zeros([2])
        }
        expect(result, says: "*: shapes [2, 3] and [2] differ")
    }

    @Test func `quotient`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]) / Tensor.zeros([4, 3])
        }
        expect(result, says: "/: shapes [2, 3] and [4, 3] differ")
    }

    @Test func `maximum`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.maximum(Tensor.zeros([2]), Tensor.zeros([3]))
        }
        expect(result, says: "maximum: shapes [2] and [3] differ")
    }

    @Test func `minimum`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.minimum(Tensor.zeros([2]), Tensor.zeros([3]))
        }
        expect(result, says: "minimum: shapes [2] and [3] differ")
    }

    @Test func `matrix product`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.matmul(Tensor.zeros([2, 3]), Tensor.zeros([2, 3]))
        }
        expect(result, says: "matmul: shapes [2, 3] and [2, 3] do not meet")
    }

    @Test func `batched matrix product`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.matmul(Tensor.zeros([2, 1, 3]), Tensor.zeros([4, 3, 1]))
        }
        expect(result, says: "matmul: shapes [2, 1, 3] and [4, 3, 1] do not broadcast")
    }

    @Test func `matrix product with a scalar`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.matmul(Tensor.zeros([2]), Tensor(1))
        }
        expect(result, says: "matmul: shapes [2] and []")
    }

    @Test func `transposed matrix product`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.matmulTransposed(Tensor.zeros([2, 3]), Tensor.zeros([3, 2]))
        }
        expect(result, says: "matmulTransposed: shapes [2, 3] and [3, 2]")
    }

    @Test func `sum over an axis that is not there`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).sum(axis: 2)
        }
        expect(result, says: "sum: axis 2 is not in shape [2, 3]")
    }

    @Test func `mean over one axis twice`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).mean(axes: [1, -1])
        }
        expect(result, says: "sum: axes [1, -1] of shape [2, 3] name one axis twice")
    }

    @Test func `largest of nothing`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 0]).max(axis: 1)
        }
        expect(result, says: "max: axis 1 of shape [2, 0] is empty")
    }

    @Test func `argmax over an axis that is not there`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).argmax(axis: -3)
        }
        expect(result, says: "argmax: axis -3 is not in shape [2, 3]")
    }

    @Test func `softmax over an axis that is not there`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).softmax(axis: 5)
        }
        expect(result, says: "softmax: axis 5 is not in shape [2, 3]")
    }

    @Test func `reshaping`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).reshaped([4, -1])
        }
        expect(result, says: "reshaped: shape [2, 3] does not hold the elements of [4, -1]")
    }

    @Test func `permuting`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).permuted([0])
        }
        expect(result, says: "permuted: axes [0] are not all of shape [2, 3]")
    }

    @Test func `expanding`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).expanded([2, 4])
        }
        expect(result, says: "expanded: shape [2, 3] does not stretch to [2, 4]")
    }

    @Test func `flattening`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).flattened(from: 1, to: 0)
        }
        expect(result, says: "flattened: axis 1 of shape [2, 3] comes after axis 0")
    }

    @Test func `index`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3])[2]
        }
        expect(result, says: "subscript: 2 is outside axis 0 of shape [2, 3]")
    }

    @Test func `range`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).sliced(1..<4, axis: 1)
        }
        expect(result, says: "sliced: 1..<4 is outside axis 1 of shape [2, 3]")
    }

    @Test func `split`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).split(sizes: [1, 1], axis: 1)
        }
        expect(result, says: "split: sizes [1, 1] do not add up to axis 1 of shape [2, 3]")
    }

    @Test func `concatenation`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.concatenate([Tensor.zeros([2, 3]), Tensor.zeros([2, 4])])
        }
        expect(result, says: "concatenate: shapes [2, 3] and [2, 4] differ")
    }

    @Test func `stacking`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.stack([Tensor.zeros([2, 3]), Tensor.zeros([2, 4])])
        }
        expect(result, says: "stack: shapes [2, 3] and [2, 4] differ")
    }

    @Test func `selection by indices`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).indexSelect(IntTensor([2]))
        }
        expect(result, says: "indexSelect: 2 is outside axis 0 of shape [2, 3]")
    }

    @Test func `one-hot`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.oneHot(IntTensor([3]), numClasses: 3)
        }
        expect(result, says: "oneHot: 3 among indices of shape [1] is outside 3 classes")
    }

    @Test func `linear`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]).linear(weight: Parameter([1, 2], shape: [1, 2]), bias: nil)
        }
        expect(result, says: "linear: input [2, 3] and weight [1, 2]")
    }

    @Test func `a second walk through the same graph`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loss = Parameter([1], shape: [1]).tensor.tanh().sum()
            loss.backward()
            loss.backward()
        }
        expect(result, says: "was already walked once")
    }

    private func expect(_ result: ExitTest.Result?, says sentence: String) {
        let printed = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(printed.contains(sentence), "it said: \(printed)")
    }
}
