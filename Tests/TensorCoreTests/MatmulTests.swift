import TensorCore
import Testing

private struct Meeting: CustomTestStringConvertible {
    let a: [Int]
    let b: [Int]
    let result: [Int]

    var testDescription: String { "\(a) by \(b)" }
}

private let meetings = [
    Meeting(a: [3, 7], b: [7, 5], result: [3, 5]), Meeting(a: [1, 1], b: [1, 1], result: [1, 1]),
    Meeting(a: [4, 17], b: [17, 33], result: [4, 33]), Meeting(a: [7], b: [7], result: []),
    Meeting(a: [7], b: [7, 5], result: [5]), Meeting(a: [3, 7], b: [7], result: [3]),
    Meeting(a: [2, 3, 7], b: [7, 5], result: [2, 3, 5]), Meeting(a: [2, 3, 7], b: [7], result: [2, 3]),
    Meeting(a: [7], b: [2, 7, 5], result: [2, 5]), Meeting(a: [2, 3, 7], b: [2, 7, 5], result: [2, 3, 5]),
    Meeting(a: [3, 7], b: [2, 7, 5], result: [2, 3, 5]),
    Meeting(a: [2, 1, 3, 7], b: [4, 7, 5], result: [2, 4, 3, 5]),
    Meeting(a: [2, 4, 3, 7], b: [1, 1, 7, 5], result: [2, 4, 3, 5]), Meeting(a: [3, 0], b: [0, 2], result: [3, 2]),
    Meeting(a: [0, 3], b: [3, 2], result: [0, 2]), Meeting(a: [0, 2, 3], b: [0, 3, 2], result: [0, 2, 2]),
]

@Suite struct `Matrix products` {
    @Test(arguments: meetings)
    private func `follow torch.matmul's rules, and their gradients the definition`(meeting: Meeting) {
        expectAgreement(of: [meeting.a, meeting.b]) {
            Tensor.matmul($0[0], $0[1])
        } reference: { x in
            let left = meeting.a.count == 1 ? Reference(x[0].values, shape: [1] + meeting.a) : x[0]
            let right = meeting.b.count == 1 ? Reference(x[1].values, shape: meeting.b + [1]) : x[1]
            let batch = meeting.result.dropLast((meeting.a.count > 1 ? 1 : 0) + (meeting.b.count > 1 ? 1 : 0))
            let (m, k, n) = (left.shape[left.shape.count - 2], left.shape.last!, right.shape.last!)
            let full = Reference(shape: batch + [m, n]) { index in
                let (group, i, j) = (Array(index.dropLast(2)), index[index.count - 2], index.last!)
                return (0..<k).reduce(0) { $0 + left.stretched(group + [i, $1]) * right.stretched(group + [$1, j]) }
            }
            return Reference(full.values, shape: meeting.result)
        }
    }

    @Test func `hand case`() {
        let (a, b) = (Tensor([1, 2, 3, 4], shape: [2, 2]), Tensor([5, 6, 7, 8], shape: [2, 2]))
        #expect(a.matmul(b).values == [19, 22, 43, 50])
        #expect(Tensor.matmulTransposed(a, b).values == [17, 23, 39, 53])
        #expect(Tensor([1, 2]).matmul(Tensor([3, 4])).item == 11)
        #expect(gradient(of: a, cotangent: [1, 0, 0, 1]) { $0.matmul(b) } == [5, 7, 6, 8])
        #expect(gradient(of: b, cotangent: [1, 0, 0, 1]) { a.matmul($0) } == [1, 3, 2, 4])
    }

    @Test func `a batch has the bits of its matrices alone, and the transposed product those of the plain one`() {
        var numbers = TestNumbers(seed: 11)
        let (a, b) = (numbers.tensor([3, 5, 70]), numbers.tensor([70, 37]))
        let whole = Tensor.matmul(a, b)
        for group in 0..<3 {
            #expect(Tensor.matmul(a[group], b).values == whole[group].values)
        }
        #expect(Tensor.matmulTransposed(a, b.transposed(0, 1)).values == whole.values)
        #expect(Tensor.matmul(a, b.expanded([3, 70, 37])).values == whole.values)
    }
}
