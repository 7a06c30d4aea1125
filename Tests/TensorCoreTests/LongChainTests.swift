import TensorCore
import Testing

@Suite struct `A chain of a hundred thousand operations` {
    private let length = 100_000

    @Test func `is walked back and let go`() {
        let weight = Parameter([0.5], shape: [1])
        var value = Tensor([1])
        for _ in 0..<length { value = value * 0.5 + weight.tensor }
        value.sum().backward()
        #expect(weight.gradient?.values == [2])
    }

    @Test func `is let go without having been walked`() {
        let weight = Parameter([0.5], shape: [1])
        var value: Tensor? = weight.tensor
        for _ in 0..<length { value = value.map { $0 * 0.5 + weight.tensor } }
        #expect(value?.requiresGradient == true)
        value = nil
        #expect(weight.gradient == nil)
    }

    @Test func `with branches that meet again keeps what is still in use`() {
        let weight = Parameter([0.5], shape: [1])
        var value = weight.tensor
        var kept: [Tensor] = []
        for step in 0..<length {
            value = value * 0.5 + value * 0.25
            if step % 40_000 == 0 { kept.append(value) }
        }
        value = Tensor([0])
        kept[0].sum().backward()
        #expect(weight.gradient?.values == [0.75])
    }
}
