import TensorCore
import Testing

@Suite struct `A parameter whose values lie in somebody else's memory` {
    private let memory = Storage([Float](arrayLiteral: 9, 1, 2, 3, 4, 5, 6, 9))
    private let parameter = Parameter([0, 0, 0, 0, 0, 0], shape: [2, 3])
    private let input = Tensor([1, 0, 0, 0, 1, 0], shape: [2, 3])

    private var product: [Float] { input.linear(weight: parameter, bias: nil).values }

    @Test func `has them there, and products see them`() {
        #expect(product == [0, 0, 0, 0])
        let before = parameter.changes
        parameter.adopt(memory.view(1..<7))
        #expect(parameter.changes == before + 1)
        #expect(parameter.values == [1, 2, 3, 4, 5, 6])
        #expect(product == [1, 4, 2, 5])
        #expect(parameter.storage.isView && parameter.storage.isAt(memory.view(1..<7)))
    }

    @Test func `leaves that memory as it is when it changes`() {
        parameter.adopt(memory.view(1..<7))
        parameter.assign([6, 5, 4, 3, 2, 1])
        #expect(parameter.values == [6, 5, 4, 3, 2, 1] && !parameter.storage.isView)
        #expect(unsafe Array(memory.floats) == [9, 1, 2, 3, 4, 5, 6, 9])
        #expect(product == [6, 3, 5, 2])
    }

    @Test func `reads packed forms that lie elsewhere, until its values change`() {
        let shapes = [[3, 4], [4], [1, 17], [40, 3]]
        func parameters() -> [Parameter] {
            shapes.map { shape in Parameter((0..<shape.reduce(1, *)).map { Float($0 % 7) - 3 }, shape: shape) }
        }
        /// x · Wᵀ and its gradient dy · W, of every weight.
        func products(_ parameters: [Parameter]) -> [[Float]] {
            parameters.filter { $0.shape.count == 2 }.flatMap { weight in
                let input = Parameter((0..<2 * weight.shape[1]).map { Float($0 % 5) }, shape: [2, weight.shape[1]])
                let output = input.tensor.linear(weight: weight, bias: nil)
                output.sum().backward()
                return [output.values, input.gradient?.values ?? []]
            }
        }
        let (packed, own) = (parameters(), parameters())
        let layout = PackedLayout(packed)
        let forms = Storage(count: layout.count)
        for (index, parameter) in packed.enumerated() { layout.pack(parameter, at: index, into: forms) }
        layout.adopt(forms, by: packed)
        #expect(products(packed) == products(own))
        // What is read is what lies there.
        unsafe forms.floats.update(repeating: 0)
        #expect(products(packed).allSatisfy { $0.allSatisfy { $0 == 0 } })
        for parameter in packed { parameter.assign(parameter.values) }
        #expect(products(packed) == products(own))
    }

    @Test func `is packed on several threads as on one`() {
        let parameters = (1...9).map { size in
            Parameter((0..<size * 70).map { Float($0 % 13) - 6 }, shape: [size, 70])
        }
        let input = Tensor((0..<140).map { Float($0 % 7) - 3 }, shape: [2, 70])
        func products() -> [[Float]] { parameters.map { input.linear(weight: $0, bias: nil).values } }
        let expected = products()
        for parameter in parameters { parameter.assign(parameter.values) }
        Parameter.pack(parameters, on: ThreadTeam(threads: 3))
        #expect(products() == expected)
    }
}

@Suite struct `A team of threads` {
    @Test(arguments: [1, 2, 5])
    func `does every piece once`(threads: Int) {
        let count = 1_000_003
        let block = Storage(zeros: count)
        let one = Storage(Array(repeating: Float(1), count: count))
        let team = ThreadTeam(threads: threads)
        for _ in 0..<3 { block.add(one, count: count, team: team) }
        #expect(unsafe block.floats.allSatisfy { $0 == 3 })
        let places = Storage(zeros: 40)
        team.run(Array(repeating: 1 << 15, count: 40)) { unsafe places.floats[$0] += Float($0 + 1) }
        #expect(unsafe Array(places.floats) == (1...40).map(Float.init))
    }
}
