import TensorCore
import Testing

@Suite struct `Shapes` {
    /// 0, 1, 2 … under a shape: the values say where they came from.
    private func counted(_ shape: [Int]) -> Tensor { Tensor((0..<shape.reduce(1, *)).map(Float.init), shape: shape) }

    @Test func `reshaping, with one size left open`() {
        let x = counted([2, 3, 4])
        #expect(x.reshaped([4, -1]).shape == [4, 6] && x.reshaped([-1]).shape == [24])
        #expect(x.reshaped([2, 2, -1, 2]).shape == [2, 2, 3, 2])
        #expect(
            x.flattened().shape == [24] && x.flattened(from: 1).shape == [2, 12] && x.flattened(to: 1).shape == [6, 4])
        #expect(Tensor(1).flattened().shape == [1])
        #expect(counted([1, 3, 1]).squeezed().shape == [3] && counted([1, 3, 1]).squeezed(-1).shape == [1, 3])
        #expect(counted([1, 3, 1]).squeezed(1).shape == [1, 3, 1])
        #expect(
            x.unsqueezed(0).shape == [1, 2, 3, 4] && x.unsqueezed(-1).shape == [2, 3, 4, 1]
                && x.unsqueezed(2).shape == [2, 3, 1, 4])
        #expect(x.reshaped([3, -1]).values == x.values)
        expectAgreement(of: [[2, 1, 6]]) {
            $0[0].squeezed(1).unsqueezed(-1).reshaped([3, -1]).flattened().squared()
        } reference: {
            Reference($0[0].values.map { $0 * $0 }, shape: [12])
        }
    }

    @Test func `permuting and transposing`() {
        let x = counted([2, 3])
        #expect(x.transposed(0, 1).values == [0, 3, 1, 4, 2, 5] && x.transposed(-1, 0).shape == [3, 2])
        let y = counted([2, 3, 4]).permuted([2, 0, 1])
        #expect(y.shape == [4, 2, 3])
        #expect(y[1][1].values[2] == 21)
        for order in [[2, 0, 1], [1, 0, 2], [-1, 1, 0], [0, 1, 2]] {
            expectAgreement(of: [[2, 3, 17]]) {
                $0[0].permuted(order)
            } reference: { x in
                let axes = order.map { $0 < 0 ? $0 + 3 : $0 }
                return Reference(shape: axes.map { [2, 3, 17][$0] }) { index in
                    var source = [0, 0, 0]
                    for (place, axis) in axes.enumerated() { source[axis] = index[place] }
                    return x[0][source]
                }
            }
        }
        #expect(Tensor(4).transposed(0, -1).item == 4)
    }

    @Test func `expanding repeats, and its gradient adds up`() {
        #expect(Tensor([1, 2], shape: [2, 1]).expanded([2, 2, 3]).values == [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2])
        #expect(Tensor([1, 2], shape: [2, 1]).expanded([-1, 3]).shape == [2, 3])
        #expect(
            gradient(of: Tensor([1, 2], shape: [2, 1]), cotangent: [1, 2, 3, 4, 5, 6]) { $0.expanded([2, 3]) } == [
                6, 15,
            ])
        #expect(gradient(of: Tensor([1, 2]), cotangent: [1, 2, 3, 4, 5, 6]) { $0.expanded([3, 2]) } == [9, 12])
        #expect(gradient(of: Tensor(1), cotangent: [1, 2, 3, 4]) { $0.expanded([2, 2]) } == [10])
    }

    @Test func `slicing by range and by index`() {
        let x = counted([3, 4])
        #expect(x[1].values == [4, 5, 6, 7] && x[-1].values == [8, 9, 10, 11])
        #expect(x[1..<3].values == x[1].values + x[2].values && x[-2..<0].values == x[1..<3].values)
        #expect(x.selected(-2, axis: 1).values == [2, 6, 10] && x.selected(0, axis: -1).shape == [3])
        #expect(
            x.sliced(1..<3, axis: 1).values == [1, 2, 5, 6, 9, 10]
                && x.columns(1..<3).values == x.sliced(-3..<(-1), axis: 1).values)
        #expect(x.sliced(from: 1, to: -1, axis: -1).values == [1, 2, 5, 6, 9, 10])
        #expect(x.sliced(from: -2, axis: 0).values == x[1..<3].values && x.sliced(to: 100, axis: 0).values == x.values)
        #expect(x.sliced(from: 2, to: 1, axis: 0).shape == [0, 4] && x.sliced(2..<2, axis: 1).shape == [3, 0])
        expectAgreement(of: [[3, 4, 5]]) {
            $0[0].sliced(1..<3, axis: 1) * $0[0].sliced(from: 2, axis: 1) + $0[0].selected(-1, axis: 1).unsqueezed(1)
        } reference: { x in
            Reference(shape: [3, 2, 5]) {
                x[0][[$0[0], $0[1] + 1, $0[2]]] * x[0][[$0[0], $0[1] + 2, $0[2]]] + x[0][[$0[0], 3, $0[2]]]
            }
        }
        expectAgreement(of: [[3, 4]]) {
            $0[0][0] * $0[0][-1]
        } reference: { x in
            Reference(shape: [4]) { x[0][[0, $0[0]]] * x[0][[2, $0[0]]] }
        }
    }

    @Test func `splitting and chunking`() {
        let x = counted([5, 2])
        #expect(x.split(2).map(\.shape) == [[2, 2], [2, 2], [1, 2]] && x.split(2)[2].values == [8, 9])
        #expect(x.split(sizes: [1, 0, 4]).map(\.shape) == [[1, 2], [0, 2], [4, 2]])
        #expect(x.split(1, axis: 1).map(\.values) == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]])
        // PyTorch rounds the size up, so that six rows in four chunks are three.
        #expect(
            counted([6]).chunk(4).map(\.shape) == [[2], [2], [2]] && x.chunk(2).map(\.shape) == [[3, 2], [2, 2]])
        for axis in [0, 1, -1] {
            expectAgreement(of: [[6, 6, 4]]) {
                let parts = $0[0].split(sizes: [2, 1, $0[0].shape[axis < 0 ? 2 : axis] - 3], axis: axis)
                return parts[0].sum() * parts[2].squared().sum()
            } reference: { x in
                let place = axis < 0 ? 2 : axis
                var (first, last) = (0.0, 0.0)
                for index in Reference.indices([6, 6, 4]) {
                    if index[place] < 2 { first += x[0][index] }
                    if index[place] >= 3 { last += x[0][index] * x[0][index] }
                }
                return Reference([first * last], shape: [])
            }
        }
    }

    @Test func `concatenating and stacking`() {
        let (a, b) = (counted([2, 2]), counted([2, 1]))
        #expect(Tensor.concatenate([a, b], axis: 1).values == [0, 1, 0, 2, 3, 1])
        #expect(Tensor.concatenate([a, a]).values == a.values + a.values)
        #expect(
            Tensor.stack([b, b], axis: -1).values == [0, 0, 1, 1] && Tensor.stack([b, b], axis: 1).shape == [2, 2, 1])
        #expect(Tensor.stack([Tensor(1), Tensor(2)]).values == [1, 2])
        for axis in [0, 1, -1] {
            let place = axis < 0 ? 2 : axis
            var shapes = [[2, 3, 5], [2, 3, 5], [2, 3, 5]]
            shapes[1][place] = 1
            expectAgreement(of: shapes) {
                Tensor.concatenate($0, axis: axis).squared()
            } reference: { x in
                var shape = shapes[0]
                shape[place] = 2 * shape[place] + 1
                return Reference(shape: shape) { index in
                    var (number, index) = (0, index)
                    while index[place] >= x[number].shape[place] {
                        index[place] -= x[number].shape[place]
                        number += 1
                    }
                    return x[number][index] * x[number][index]
                }
            }
            expectAgreement(of: [[2, 3], [2, 3]]) {
                Tensor.stack($0, axis: axis).squared()
            } reference: { x in
                var shape = [2, 3]
                shape.insert(2, at: place)
                return Reference(shape: shape) { index in
                    var rest = index
                    let number = rest.remove(at: place)
                    return x[number][rest] * x[number][rest]
                }
            }
        }
    }

    @Test func `selecting by indices, some of them twice`() {
        let x = counted([3, 2])
        #expect(x.indexSelect(IntTensor([2, 0, 2])).values == [4, 5, 0, 1, 4, 5])
        #expect(
            x.indexSelect(IntTensor([1]), axis: 1).values == [1, 3, 5] && x.indexSelect(IntTensor([])).shape == [0, 2])
        #expect(
            gradient(of: x, cotangent: [1, 2, 3, 4, 5, 6]) { $0.indexSelect(IntTensor([2, 0, 2])) } == [
                3, 4, 0, 0, 6, 8,
            ])
        for axis in [0, 1, -1] {
            let place = axis < 0 ? 2 : axis
            expectAgreement(of: [[3, 4, 5]]) {
                $0[0].indexSelect(IntTensor([2, 0, 2, 1]), axis: axis).squared()
            } reference: { x in
                var shape = [3, 4, 5]
                shape[place] = 4
                return Reference(shape: shape) { index in
                    var source = index
                    source[place] = [2, 0, 2, 1][index[place]]
                    return x[0][source] * x[0][source]
                }
            }
        }
        #expect(gradient(of: x, cotangent: [7, 8, 9]) { $0.picked([1, -1, 0]) } == [0, 7, 0, 0, 9, 0])
    }

    @Test func `one-hot`() {
        let result = Tensor.oneHot(IntTensor([2, 0], shape: [1, 2]), numClasses: 3)
        #expect(result.shape == [1, 2, 3] && result.values == [0, 0, 1, 1, 0, 0])
    }
}
