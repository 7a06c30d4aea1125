import TensorCore
import Testing

@Suite struct `Gradients of operations agree with finite differences` {
    @Test func `sum, difference, product, scaling`() {
        var numbers = TestNumbers(seed: 1)
        let (a, b) = (numbers.parameter([3, 5]), numbers.parameter([3, 5]))
        let weights = numbers.tensor([3, 5])
        expectGradients(of: [a, b]) { weighted((a.tensor + b.tensor) * (a.tensor - b.tensor) * 0.5, weights) }
    }

    @Test func `a vector added to rows`() {
        var numbers = TestNumbers(seed: 2)
        let (a, bias) = (numbers.parameter([2, 3, 5]), numbers.parameter([5]))
        let weights = numbers.tensor([2, 3, 5])
        expectGradients(of: [a, bias]) { weighted((a.tensor + bias.tensor).tanh(), weights) }
    }

    @Test(arguments: [(1, 1, 1), (3, 7, 5), (4, 33, 17)])
    func `matrix product`(m: Int, n: Int, k: Int) {
        var numbers = TestNumbers(seed: 3)
        let (a, b) = (numbers.parameter([m, k]), numbers.parameter([n, k]))
        let weights = numbers.tensor([m, n])
        expectGradients(of: [a, b]) { weighted(Tensor.matmulTransposed(a.tensor, b.tensor), weights) }
    }

    @Test func `activations`() {
        var numbers = TestNumbers(seed: 4)
        let a = numbers.parameter([4, 9], spread: 3)
        let weights = numbers.tensor([4, 9])
        expectGradients(of: [a]) { weighted(a.tensor.tanh(), weights) }
        expectGradients(of: [a]) { weighted(a.tensor.sigmoid(), weights) }
        // Away from the kink, where the difference quotient means something.
        let b = Parameter(a.values.map { $0 < 0 ? $0 - 0.1 : $0 + 0.1 }, shape: a.shape)
        expectGradients(of: [b]) { weighted(b.tensor.relu(), weights) }
    }

    @Test func `views: reshape, subscript, columns, stack`() {
        var numbers = TestNumbers(seed: 5)
        let a = numbers.parameter([3, 4, 6])
        let weights = numbers.tensor([2, 12])
        expectGradients(of: [a]) {
            let parts = [a.tensor[0], a.tensor[2]].map { $0.columns(1..<4).tanh().reshaped([12]) }
            return weighted(Tensor.stack(parts), weights)
        }
    }

    @Test func `linear, with and without bias`() {
        var numbers = TestNumbers(seed: 6)
        let (x, weight, bias) = (numbers.parameter([2, 3, 5]), numbers.parameter([7, 5]), numbers.parameter([7]))
        let cotangent = numbers.tensor([2, 3, 7])
        expectGradients(of: [x, weight, bias]) {
            weighted(x.tensor.linear(weight: weight, bias: bias).tanh(), cotangent)
        }
        expectGradients(of: [x, weight]) { weighted(x.tensor.linear(weight: weight, bias: nil).tanh(), cotangent) }
    }

    @Test func `embedding, with tokens that come twice`() {
        var numbers = TestNumbers(seed: 7)
        let table = numbers.parameter([4, 5])
        let cotangent = numbers.tensor([3, 2, 5])
        expectGradients(of: [table]) {
            weighted(Tensor.embedding(IntTensor([0, 3, 3, 1, 0, 3], shape: [3, 2]), weight: table).tanh(), cotangent)
        }
    }

    @Test func `cross-entropy, with rows that are not counted`() {
        var numbers = TestNumbers(seed: 8)
        let logits = numbers.parameter([4, 6], spread: 3)
        expectGradients(of: [logits]) { logits.tensor.crossEntropy([5, -1, 0, 2]).sum }
        expectGradients(of: [logits]) { logits.tensor.crossEntropy([5, -1, 0, 2]).sum * 0.25 }
    }

    @Test func `dropout passes the gradient of what it kept`() {
        var numbers = TestNumbers(seed: 9)
        let x = numbers.parameter([3, 2, 19])
        let cotangent = numbers.tensor([3, 2, 19])
        let stream = DropoutStream(seed: 1, step: 2)
        expectGradients(of: [x]) { weighted(x.tensor.dropout(probability: 0.4, stream: stream, layer: 1), cotangent) }
    }

    @Test func `a value that is used twice gets both gradients`() {
        var numbers = TestNumbers(seed: 10)
        let a = numbers.parameter([5])
        expectGradients(of: [a]) {
            let x = a.tensor.tanh()
            return (x * x + x).sum()
        }
    }
}

@Suite struct `Cross-entropy that overwrites its scores` {
    @Test func `gives the losses and gradients of one that keeps them`() throws {
        let values: [Float] = (0..<5 * 37).map { (index: Int) -> Float in Float((index * 7919) % 101) / 17 - 3 }
        let targets: [Int32] = [3, -1, 36, 0, 17]
        func results(overwrites: Bool) throws -> (sum: UInt32, each: [UInt32], gradient: [UInt32]) {
            let parameter = Parameter(values, shape: [5, 37])
            let scores = parameter.tensor * Tensor(2)
            let (sum, each) = scores.crossEntropy(targets, overwrites: overwrites)
            let (total, losses) = (sum.item.bitPattern, each.values.map { $0.bitPattern })
            sum.backward()
            let gradient = try #require(parameter.gradient)
            return (total, losses, gradient.values.map { $0.bitPattern })
        }
        let (kept, overwritten) = (try results(overwrites: false), try results(overwrites: true))
        #expect(kept.sum == overwritten.sum && kept.each == overwritten.each && kept.gradient == overwritten.gradient)
        #expect(kept.gradient.contains { $0 != 0 })
    }
}
