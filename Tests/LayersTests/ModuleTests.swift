import Layers
import TensorCore
import Testing

private struct Head: Module {
    let linear: Linear
    var scale: Parameter? = Parameter([1], shape: [1])
    let name = "head"

    init(_ width: Int = 2) { linear = Linear(inFeatures: width, outFeatures: 1) }
}

private class Base: Module {
    let first = Linear(inFeatures: 1, outFeatures: 1, bias: false)
}

private final class Derived: Base {
    let second = Linear(inFeatures: 1, outFeatures: 1, bias: false)
}

private final class Lazy: Module {
    lazy var late = Linear(inFeatures: 1, outFeatures: 1, bias: false)
}

private struct Model: Module {
    let embedding = Embedding(numEmbeddings: 3, embeddingDim: 2)
    let encoder = LSTM(inputSize: 2, hiddenSize: 2)
    let heads = [Head(), Head()]
    let byName = ["b": Linear(inFeatures: 2, outFeatures: 1, bias: false), "a": Linear(inFeatures: 2, outFeatures: 1)]
    let nested = [[Parameter([1, 2], shape: [2])], []]
    let present: Linear? = Linear(inFeatures: 1, outFeatures: 1, bias: false)
    let absent: Linear? = nil
    let dropout = Dropout()
    let width = 2
    let other: any Module = Head(3)
}

private struct Tied: Module {
    let embedding = Embedding(numEmbeddings: 5, embeddingDim: 3)
    let output: Output
    struct Output: Module {
        let weight: Parameter
        let bias = Parameter([0, 0, 0, 0, 0], shape: [5])
    }
    init() { output = Output(weight: embedding.weight) }
}

@Suite struct `A module` {
    @Test func `finds parameters in structs, arrays, dictionaries, optionals and modules`() {
        #expect(
            Model().namedParameters.map(\.name) == [
                "embedding.weight", "encoder.weight_ih_l0", "encoder.weight_hh_l0", "encoder.bias_ih_l0",
                "encoder.bias_hh_l0",
                "heads.0.linear.weight", "heads.0.linear.bias", "heads.0.scale", "heads.1.linear.weight",
                "heads.1.linear.bias", "heads.1.scale", "byName.a.weight", "byName.a.bias", "byName.b.weight",
                "nested.0.0",
                "present.weight", "other.linear.weight", "other.linear.bias", "other.scale",
            ])
        #expect(Model().parameters.count == 19)
        #expect(Model().parameterCount == 6 + (16 + 16 + 8 + 8) + 2 * 4 + 3 + 2 + 2 + 1 + 5)
    }

    @Test func `that inherits has its superclass's parameters first`() {
        #expect(Derived().namedParameters.map(\.name) == ["first.weight", "second.weight"])
    }

    @Test func `made late is found under its own name`() {
        let module = Lazy()
        #expect(module.namedParameters.isEmpty)
        _ = module.late
        #expect(module.namedParameters.map(\.name) == ["late.weight"])
    }

    @Test func `has PyTorch's names for every layer and direction`() {
        let layer = LSTM(inputSize: 3, hiddenSize: 4, numLayers: 2, bidirectional: true, projSize: 2)
        let kinds = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]
        #expect(
            layer.namedParameters.map(\.name)
                == ["_l0", "_l0_reverse", "_l1", "_l1_reverse"].flatMap { suffix in kinds.map { $0 + suffix } })
        let shapes = Dictionary(uniqueKeysWithValues: layer.namedParameters.map { ($0.name, $0.parameter.shape) })
        #expect(shapes["weight_ih_l0"] == [16, 3] && shapes["weight_ih_l1_reverse"] == [16, 4])
        #expect(shapes["weight_hh_l1"] == [16, 2] && shapes["weight_hr_l0_reverse"] == [2, 4])
        let plain = GRU(inputSize: 3, hiddenSize: 4, bias: false)
        #expect(plain.namedParameters.map(\.name) == ["weight_ih_l0", "weight_hh_l0"])
    }

    @Test func `counts a tied parameter once and names it twice`() {
        let module = Tied()
        #expect(module.namedParameters.map(\.name) == ["embedding.weight", "output.weight", "output.bias"])
        #expect(module.parameters.count == 2)
        #expect(module.parameterCount == 20)
        #expect(module.stateDict.keys.sorted() == ["embedding.weight", "output.bias", "output.weight"])
    }

    @Test func `forgets all gradients`() {
        let module = Tied()
        (module.embedding(IntTensor([1])).sum() + module.output.bias.tensor.sum()).backward()
        #expect(module.parameters.allSatisfy { $0.gradient != nil })
        module.zeroGradients()
        #expect(module.parameters.allSatisfy { $0.gradient == nil })
    }

    @Test func `starts from the seed`() {
        func values(_ seed: UInt64) -> [[Float]] {
            GRU(inputSize: 3, hiddenSize: 4, generator: Generator(seed: seed)).parameters.map(\.values)
        }
        #expect(values(3) == values(3))
        #expect(values(3) != values(4))
        let generator = Generator(seed: 3)
        let bound: Float = 0.5
        let first = GRU(inputSize: 3, hiddenSize: 4, generator: generator).parameters.map(\.values)
        let second = GRU(inputSize: 3, hiddenSize: 4, generator: generator).parameters.map(\.values)
        #expect(first != second && first == values(3))
        #expect((first + second).allSatisfy { $0.allSatisfy { $0 >= -bound && $0 < bound } })
        generator.manualSeed(3)
        #expect(GRU(inputSize: 3, hiddenSize: 4, generator: generator).parameters.map(\.values) == first)
    }
}

@Suite struct `A state dict` {
    @Test func `is a copy`() throws {
        let module = Tied()
        let before = module.stateDict
        let weight = module.embedding.weight.values
        module.embedding.weight.assign(Array(repeating: 7, count: 15))
        #expect(before["embedding.weight"]?.values == weight)
        try module.load(stateDict: before)
        #expect(module.embedding.weight.values == weight)
    }

    @Test func `carries a module's numbers into another`() throws {
        let (one, other) = (Model(), Model())
        #expect(one.encoder.parameters.map(\.values) != other.encoder.parameters.map(\.values))
        try other.load(stateDict: one.stateDict)
        #expect(one.parameters.map(\.values) == other.parameters.map(\.values))
        var numbers = TestNumbers(seed: testSeed)
        let input = numbers.tensor([4, 2])
        // Packed forms of the old weights are gone too.
        #expect(one.encoder(input).output.bits == other.encoder(input).output.bits)
    }

    @Test func `is in use after a forward pass with the old one`() throws {
        let layer = GRU(inputSize: 2, hiddenSize: 3)
        let input = Tensor([1, 2, 3, 4], shape: [2, 2])
        let before = layer(input).output.bits
        try layer.load(stateDict: GRU(inputSize: 2, hiddenSize: 3).stateDict)
        #expect(layer(input).output.bits != before)
    }

    @Test(arguments: [true, false]) func `that does not fit changes nothing and says all that is wrong`(strict: Bool) {
        let module = Tied()
        var given = module.stateDict.mapValues { Tensor.zeros($0.shape) }
        given["embedding.weight"] = nil
        given["output.bias"] = Tensor.zeros([4])
        given["output.weight"] = Tensor.zeros([3, 5])
        given["stray"] = Tensor.zeros([1])
        given["another"] = Tensor.zeros([1])
        let before = module.parameters.map(\.values)
        do {
            try module.load(stateDict: given, strict: strict)
            Issue.record("it was taken")
        } catch {
            #expect(error.missing == (strict ? ["embedding.weight"] : []))
            #expect(error.unexpected == (strict ? ["another", "stray"] : []))
            #expect(
                error.misshaped.map { "\($0.name) \($0.expected) \($0.found)" }
                    == ["output.weight [5, 3] [3, 5]", "output.bias [5] [4]"])
            let shapes =
                "of another shape output.weight [3, 5] where [5, 3] is expected, output.bias [4] where [5] is expected"
            #expect(
                error.description
                    == (strict
                        ? "state dict: missing embedding.weight; unexpected another, stray; \(shapes)"
                        : "state dict: \(shapes)"))
        }
        #expect(module.parameters.map(\.values) == before)
    }

    @Test func `of which one part fits and another does not changes neither`() {
        let module = Linear(inFeatures: 2, outFeatures: 3)
        let before = module.parameters.map(\.values)
        for given in [
            ["weight": Tensor.zeros([3, 2]), "bias": Tensor.zeros([2])], ["weight": Tensor.zeros([3, 2])],
            ["weight": Tensor.zeros([3, 2]), "bias": Tensor.zeros([3]), "stray": Tensor(1)],
        ] {
            #expect(throws: StateDictError.self) { try module.load(stateDict: given) }
            #expect(module.parameters.map(\.values) == before)
        }
    }

    @Test func `when not strict may lack names and have others`() throws {
        let module = Tied()
        let weight = module.embedding.weight.values
        try module.load(stateDict: ["output.bias": Tensor([1, 2, 3, 4, 5]), "stray": Tensor(1)], strict: false)
        #expect(module.output.bias.values == [1, 2, 3, 4, 5])
        #expect(module.embedding.weight.values == weight)
    }
}
