import Optimizers
import TensorCore
import Testing

/// Numbers that can be followed by hand.
@Suite struct `One update` {
    @Test func `of Adam moves by the learning rate, against the sign`() {
        // m/(1 − β₁) = g and √v/√(1 − β₂) = |g|, so that the step is lr · g/(|g| + ε).
        let parameter = Parameter([1, 2, 3], shape: [3])
        let optimizer = Adam([parameter], learningRate: 0.5)
        give([4, -0.25, 1], to: parameter)
        optimizer.step()
        expect(parameter, [0.5, 2.5, 2.5])
    }

    @Test func `of Adam adds its epsilon after the root is corrected`() {
        // 1 − 0.5 · 2/(2 + 2)
        let parameter = Parameter([1], shape: [1])
        let optimizer = Adam([parameter], learningRate: 0.5, epsilon: 2)
        give([2], to: parameter)
        optimizer.step()
        expect(parameter, [0.75])
    }

    @Test func `of Adam takes weight decay into the gradient, of AdamW from the parameter`() {
        let (coupled, decoupled) = (Parameter([-2], shape: [1]), Parameter([-2], shape: [1]))
        give([1], to: coupled)
        give([1], to: decoupled)
        // The gradient is 1 + 1 · (-2) = -1, and the step +0.5.
        Adam([coupled], learningRate: 0.5, weightDecay: 1).step()
        expect(coupled, [-1.5])
        // -2 · (1 − 0.5 · 0.1) − 0.5
        AdamW([decoupled], learningRate: 0.5, weightDecay: 0.1).step()
        expect(decoupled, [-2.4])
    }

    @Test func `of SGD is the learning rate times the gradient`() {
        let parameter = Parameter([1, -1], shape: [2])
        give([2, 4], to: parameter)
        SGD([parameter], learningRate: 0.25, weightDecay: 0.5).step()
        // 1 − 0.25 · (2 + 0.5), -1 − 0.25 · (4 − 0.5)
        expect(parameter, [0.375, -1.875])
    }

    @Test func `goes up the gradient where that is asked for`() {
        let parameter = Parameter([1], shape: [1])
        give([2], to: parameter)
        SGD([parameter], learningRate: 0.25, maximize: true).step()
        expect(parameter, [1.5])
    }

    @Test func `of RMSprop divides by the root of the average square`() {
        let (plain, centered) = (Parameter([1], shape: [1]), Parameter([1], shape: [1]))
        give([2], to: plain)
        give([2], to: centered)
        // s = 0.25 · 4 = 1: 1 − 0.1 · 2/(1 + 1)
        RMSprop([plain], learningRate: 0.1, alpha: 0.75, epsilon: 1).step()
        expect(plain, [0.9])
        // a = 0.25 · 2 = 0.5, s − a² = 0.75
        RMSprop([centered], learningRate: 0.1, alpha: 0.75, epsilon: 0, centered: true).step()
        expect(centered, [1 - 0.2 / Float(0.75).squareRoot()])
    }
}

@Suite struct `Some updates` {
    @Test func `of SGD with momentum begin with the gradient itself, whatever the dampening`() {
        let parameter = Parameter([0], shape: [1])
        let optimizer = SGD([parameter], learningRate: 1, momentum: 0.5, dampening: 0.75)
        for expected in [-4, -4 - (0.5 * 4 + 0.25 * 4), -7 - (0.5 * 3 + 0.25 * 4)] as [Float] {
            optimizer.zeroGradients()
            give([4], to: parameter)
            optimizer.step()
            expect(parameter, [expected])
        }
    }

    @Test func `of Nesterov's momentum look ahead`() {
        let parameter = Parameter([0], shape: [1])
        let optimizer = SGD([parameter], learningRate: 1, momentum: 0.5, nesterov: true)
        // b = 4: 4 + 0.5 · 4. Then b = 6: 4 + 0.5 · 6.
        for expected in [-6, -13] as [Float] {
            optimizer.zeroGradients()
            give([4], to: parameter)
            optimizer.step()
            expect(parameter, [expected])
        }
    }

    @Test func `of RMSprop with momentum add quotients up`() {
        let parameter = Parameter([0], shape: [1])
        let optimizer = RMSprop([parameter], learningRate: 1, alpha: 0, momentum: 0.5)
        // With α = 0 each quotient is 1: 1, then 0.5 + 1.
        for expected in [-1, -2.5] as [Float] {
            optimizer.zeroGradients()
            give([3], to: parameter)
            optimizer.step()
            expect(parameter, [expected])
        }
    }

    @Test func `of a centered RMSprop stay numbers when all gradients are the same`() {
        let parameter = Parameter([0, 0, 0], shape: [3])
        let optimizer = RMSprop([parameter], learningRate: 1e-6, alpha: 0.1, centered: true)
        for _ in 0..<30 {
            optimizer.zeroGradients()
            give([0.1, 0.7, 1.3], to: parameter)
            optimizer.step()
        }
        #expect(!parameter.values.contains { !$0.isFinite })
    }

    @Test func `of AMSGrad never divide by less than before`() {
        let (plain, largest) = (Parameter([0], shape: [1]), Parameter([0], shape: [1]))
        let optimizers = [
            Adam([plain], learningRate: 0.1, betas: (0, 0.5)),
            Adam([largest], learningRate: 0.1, betas: (0, 0.5), amsgrad: true),
        ]
        for gradient in [8, 1] as [Float] {
            for (parameter, optimizer) in zip([plain, largest], optimizers) {
                optimizer.zeroGradients()
                give([gradient], to: parameter)
                optimizer.step()
            }
        }
        // v = 32, then 16.5; corrected by 1 − 0.5² = 0.75. The largest stays 32.
        expect(plain, [-0.1 - 0.1 / (Float(16.5) / 0.75).squareRoot()])
        expect(largest, [-0.1 - 0.1 / (Float(32) / 0.75).squareRoot()])
    }

    @Test func `count for each parameter by itself`() {
        let (always, sometimes) = (Parameter([0], shape: [1]), Parameter([0], shape: [1]))
        let optimizer = Adam([always, sometimes], learningRate: 0.5)
        for step in 0..<3 {
            optimizer.zeroGradients()
            give([1], to: always)
            if step == 2 { give([1], to: sometimes) }
            optimizer.step()
            expect(sometimes, [step == 2 ? -0.5 : 0])
        }
        #expect(optimizer.state.entries.map(\.step) == [3, 1])
        optimizer.zeroGradients()
        optimizer.step()
        #expect(optimizer.state.entries.map(\.step) == [3, 1])
    }

    @Test func `from sums are those from means, clipped`() {
        let gradients: [[Float]] = [[1, -2, 3], [0.5, 8]]
        func parameters() -> [Parameter] { [Parameter([1, 2, 3], shape: [3]), Parameter([-1, 4], shape: [2])] }
        func makers(_ parameters: [Parameter]) -> [ElementwiseOptimizer] {
            [
                Adam(parameters, weightDecay: 0.1, amsgrad: true), AdamW(parameters),
                SGD(parameters, momentum: 0.9, nesterov: true), RMSprop(parameters, momentum: 0.9, centered: true),
            ]
        }
        for kind in 0..<4 {
            let (one, other) = (parameters(), parameters())
            let (separate, together) = (makers(one)[kind], makers(other)[kind])
            for _ in 0..<3 {
                separate.zeroGradients()
                for (parameter, gradient) in zip(one, gradients) { give(gradient, to: parameter) }
                separate.step()
                // Powers of two, so that both ways round alike.
                let blocks = gradients.map { gradient in
                    GradientBlock(storage: Storage(gradient.map { $0 * 8 }), offset: 0, count: gradient.count)
                }
                together.step(gradients: blocks, divisor: 4, clip: 0.5)
            }
            #expect(one.map(\.values) == other.map(\.values))
        }
    }
}

@Suite struct `An update on several threads` {
    @Test(arguments: [2, 5])
    func `has the bits, the norm and the checksums of one thread`(threads: Int) {
        let shapes = [[300, 1000], [7], [200, 700], [1, 1], [131_073]]
        func parameters() -> [Parameter] {
            shapes.map { shape in
                Parameter((0..<shape.reduce(1, *)).map { Float($0 % 1009) / 511 - 1 }, shape: shape)
            }
        }
        let gradients = shapes.map { shape in
            let count = shape.reduce(1, *)
            return GradientBlock(
                storage: Storage((0..<count + 3).map { Float($0 % 2003) / 97 - 10 }), offset: 3, count: count)
        }
        let (one, several) = (parameters(), parameters())
        let (alone, together) = (Adam(one), Adam(several))
        let team = ThreadTeam(threads: threads)
        let size = one.reduce(0) { $0 + $1.count }
        // Where it is first, where it is then, and in turn again; then where it lies.
        let places = [Storage(count: size), Storage(count: size)]
        for round in 0..<4 {
            let before = one.flatMap(\.values)
            let place = round < 3 ? places[round % 2] : nil
            let norm = GradientNorm.norm(of: gradients, divisor: 3)
            #expect(GradientNorm.norm(of: gradients, divisor: 3, team: team) == norm && norm > 0)
            let expected = alone.step(gradients: gradients, divisor: 3, clip: 0.5)
            let trace = together.step(gradients: gradients, divisor: 3, clip: 0.5, team: team, place: place)
            #expect(trace.gradients == expected.gradients && trace.parameters == expected.parameters)
            #expect(one.map(\.values) == several.map(\.values))
            #expect(several.allSatisfy { $0.storage.isView == (place != nil) })
            guard let place else { continue }
            #expect(unsafe Array(place.floats) == one.flatMap(\.values))
            if round > 0 { #expect(unsafe Array(places[1 - round % 2].floats) == before) }
        }
    }
}

@Suite struct `Parameter groups` {
    @Test func `have their own settings and take the defaults for the rest`() {
        let (first, second) = (Parameter([0], shape: [1]), Parameter([1], shape: [1]))
        let optimizer = SGD(
            [ParameterGroup([first]), ParameterGroup([second], learningRate: 0.5, weightDecay: 2)], learningRate: 0.25)
        give([4], to: first)
        give([4], to: second)
        optimizer.step()
        expect(first, [-1])
        expect(second, [1 - 0.5 * (4 + 2)])
        #expect(optimizer.parameterGroups.map(\.weightDecay) == [0, 2])
        optimizer.parameterGroups[0].learningRate *= 2
        #expect(optimizer.learningRate == 0.5)
        optimizer.learningRate = 0.125
        #expect(optimizer.parameterGroups.map(\.learningRate) == [0.125, 0.125])
    }

    @Test func `of every optimiser are zeroed`() {
        let parameter = Parameter([0], shape: [1])
        let optimizer: any Optimizer = RMSprop([ParameterGroup([parameter], alpha: 0.5)])
        give([4], to: parameter)
        optimizer.zeroGradients()
        #expect(parameter.gradient == nil)
    }

    @Test func `with a setting that the optimiser has not are refused`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Adam([ParameterGroup([Parameter([0], shape: [1])], momentum: 0.9)])
        }
        expect(result, says: "Adam: parameter group 0 sets momentum, which Adam has not")
    }

    @Test func `with one parameter in two of them are refused`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let parameter = Parameter([0], shape: [1])
            _ = SGD([ParameterGroup([parameter]), ParameterGroup([parameter])])
        }
        expect(result, says: "SGD: a parameter is in the groups twice")
    }

    @Test func `with settings out of range are refused`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = SGD([Parameter([0], shape: [1])], momentum: 0.9, dampening: 0.5, nesterov: true)
        }
        expect(result, says: "SGD, parameter group 0: nesterov with momentum 0.9 and dampening 0.5")
        let late = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let optimizer = Adam([Parameter([0], shape: [1])])
            optimizer.parameterGroups[0].betas.1 = 1
        }
        expect(late, says: "beta2 1.0; expected a number from 0 up to, not including, 1")
        let rate = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Adam([Parameter([0], shape: [1])], learningRate: -1)
        }
        expect(rate, says: "Adam: lr -1.0; expected 0 or a positive number")
        let none = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = RMSprop([] as [Parameter])
        }
        expect(none, says: "RMSprop: no parameters")
    }
}
