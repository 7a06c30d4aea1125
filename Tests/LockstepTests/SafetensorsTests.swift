import Foundation
import Interchange
import Layers
import Lockstep
import TensorCore
import Testing

private struct Tagger: Module {
    let embedding = Embedding(numEmbeddings: 5, embeddingDim: 3, sparse: true)
    let encoder = LSTM(inputSize: 3, hiddenSize: 4, bidirectional: true, projSize: 2)
    let heads = [Linear(inFeatures: 4, outFeatures: 2), Linear(inFeatures: 4, outFeatures: 2, bias: false)]
}

private struct Tied: Module {
    let input: Embedding
    let output: Output
    struct Output: Module { let weight: Parameter }

    init() {
        input = Embedding(numEmbeddings: 5, embeddingDim: 3)
        output = Output(weight: input.weight)
    }
}

@Suite struct `A module's file` {
    private func withPath(_ body: (String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lockstep-module-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory.appendingPathComponent("model.safetensors").path)
    }

    @Test func `brings every bit back`() throws {
        try withPath { path in
            let (one, other) = (Tagger(), Tagger())
            // Numbers that a text would lose.
            one.heads[0].bias?.assign([-0.0, .leastNonzeroMagnitude])
            one.heads[1].weight.assign([.infinity, -.infinity, .greatestFiniteMagnitude, 0.1, 1 / 3, -1, 0, 2])
            #expect(one.embedding.weight.values != other.embedding.weight.values)
            try one.save(to: path)
            try other.load(from: path)
            #expect(
                one.parameters.map { $0.values.map(\.bitPattern) }
                    == other.parameters.map { $0.values.map(\.bitPattern) })
            #expect(parametersSHA256(of: one) == parametersSHA256(of: other))
        }
    }

    @Test func `holds PyTorch's names and shapes`() throws {
        try withPath { path in
            try Tagger().save(to: path)
            let file = try SafetensorsFile(path: path)
            let shapes = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, $0.shape) })
            #expect(shapes["embedding.weight"] == [5, 3])
            #expect(shapes["encoder.weight_ih_l0_reverse"] == [16, 3])
            #expect(shapes["encoder.weight_hr_l0"] == [2, 4])
            #expect(shapes["heads.1.weight"] == [2, 4] && shapes["heads.1.bias"] == nil)
            #expect(shapes.count == 14)
        }
    }

    @Test func `is replaced as a whole`() throws {
        try withPath { path in
            let module = Tied()
            try module.save(to: path)
            module.input.weight.assign((0..<15).map(Float.init))
            try module.save(to: path)
            #expect(try Tied.stateDict(from: path)["input.weight"]?.values == (0..<15).map(Float.init))
            #expect(throws: (any Error).self) { try module.save(to: path + "/below/a/file") }
        }
    }

    @Test func `of a tied parameter has both names`() throws {
        try withPath { path in
            let (one, other) = (Tied(), Tied())
            try one.save(to: path)
            #expect(try Tied.stateDict(from: path).keys.sorted() == ["input.weight", "output.weight"])
            try other.load(from: path)
            #expect(other.output.weight.values == one.input.weight.values)
        }
    }

    @Test func `of another module changes nothing and says all that is wrong`() throws {
        try withPath { path in
            try Tied().save(to: path)
            let module = Tagger()
            let before = parametersSHA256(of: module)
            let error = #expect(throws: StateDictError.self) { try module.load(from: path) }
            #expect(error?.unexpected == ["input.weight", "output.weight"])
            #expect(error?.missing == module.namedParameters.map(\.name))
            #expect(parametersSHA256(of: module) == before)
            try module.load(from: path, strict: false)
            #expect(parametersSHA256(of: module) == before)
        }
    }

    @Test func `that is not there, or is something else, is an error`() throws {
        try withPath { path in
            #expect(throws: (any Error).self) { try Tied().load(from: path) }
            try Data("no tensors".utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: (any Error).self) { try Tied().load(from: path) }
        }
    }
}
