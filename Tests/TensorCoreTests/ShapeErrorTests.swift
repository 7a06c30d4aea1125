import TensorCore
import Testing

@Suite struct `Shapes that disagree stop with the operation and both shapes` {
    @Test func `sum`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([2, 3]) + Tensor.zeros([2, 4])
        }
        expect(result, says: "+: shapes [2, 3] and [2, 4] differ")
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
