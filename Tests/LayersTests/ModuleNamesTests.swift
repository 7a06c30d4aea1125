import Layers
import TensorCore
import Testing

private struct Pair { let left = Linear(inFeatures: 1, outFeatures: 1), right = 3 }

private final class Child: Module {
    let layer = Linear(inFeatures: 1, outFeatures: 1, bias: false)
    weak var parent: Parent?
}

private final class Parent: Module {
    let child = Child()
    init() { child.parent = self }
}

private struct Mixed: Module {
    let byNumber = [1: Linear(inFeatures: 1, outFeatures: 1, bias: false)]
    let pair = Pair()
    let tuple = (Linear(inFeatures: 1, outFeatures: 1, bias: false), named: Parameter([0], shape: [1]))
    let numbers = Array(repeating: Float(1), count: 100_000)
}

@Suite struct `Parameters are found` {
    @Test func `in dictionaries by any key, in structs that are no modules, and in tuples`() {
        #expect(
            Mixed().namedParameters.map(\.name) == [
                "byNumber.1.weight", "pair.left.weight", "pair.left.bias", "tuple.0.weight", "tuple.named",
            ])
    }

    @Test func `once where objects refer to each other`() {
        #expect(Parent().namedParameters.map(\.name) == ["child.layer.weight"])
    }
}
