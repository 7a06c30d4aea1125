import Optimizers
import TensorCore
import Testing

@Suite struct `The state of an optimiser` {
    private static let kinds = ["adam", "amsgrad", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "centered"]

    private func make(_ kind: String, _ parameters: [Parameter]) -> ElementwiseOptimizer {
        let groups = [ParameterGroup([parameters[0]]), ParameterGroup([parameters[1]], learningRate: 0.3)]
        return switch kind {
        case "adam": Adam(groups, weightDecay: 0.1)
        case "amsgrad": Adam(groups, amsgrad: true)
        case "adamw": AdamW(groups)
        case "sgd": SGD(groups)
        case "momentum": SGD(groups, momentum: 0.9, dampening: 0.1)
        case "nesterov": SGD(groups, momentum: 0.9, nesterov: true)
        case "rmsprop": RMSprop(groups)
        default: RMSprop(groups, momentum: 0.9, centered: true)
        }
    }

    private func parameters() -> [Parameter] {
        [Parameter([1, 2, 3], shape: [3]), Parameter([4, 5], shape: [1, 2])]
    }

    private func train(_ optimizer: ElementwiseOptimizer, _ parameters: [Parameter], _ steps: Range<Int>) {
        for step in steps {
            optimizer.zeroGradients()
            give([1, -2, Float(step)], to: parameters[0])
            if step != 0 { give([0.5, Float(step % 3) - 1], to: parameters[1]) }
            optimizer.step()
        }
    }

    @Test(arguments: kinds)
    func `is all that it takes to go on`(kind: String) throws {
        let (whole, parts, rest) = (parameters(), parameters(), parameters())
        let (first, second) = (make(kind, parts), make(kind, rest))
        train(make(kind, whole), whole, 0..<9)
        train(first, parts, 0..<5)
        first.parameterGroups[0].learningRate *= 1
        for (from, to) in zip(parts, rest) { to.assign(from.values) }
        try second.load(first.state)
        #expect(second.state == first.state)
        train(second, rest, 5..<9)
        #expect(rest.map(\.values) == whole.map(\.values))
    }

    @Test func `has PyTorch's names, and nothing for a parameter that never had a gradient`() {
        func names(_ kind: String) -> [String] {
            let parameters = parameters()
            let optimizer = make(kind, parameters)
            train(optimizer, parameters, 0..<1)
            #expect(optimizer.state.entries.map(\.step) == [1, 0])
            #expect(optimizer.state.entries[1].arrays.isEmpty)
            return optimizer.state.entries[0].arrays.keys.sorted()
        }
        #expect(names("adam") == ["exp_avg", "exp_avg_sq"])
        #expect(names("amsgrad") == ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"])
        #expect(names("sgd") == [])
        #expect(names("momentum") == ["momentum_buffer"])
        #expect(names("centered") == ["grad_avg", "momentum_buffer", "square_avg"])
    }

    @Test func `that does not fit is refused with a sentence, and changes nothing`() throws {
        let parameters = parameters()
        let optimizer = make("adam", parameters)
        train(optimizer, parameters, 0..<3)
        let state = optimizer.state
        func expectRefusal(_ says: String, _ change: (inout OptimizerState) -> Void) {
            var changed = state
            change(&changed)
            let error = #expect(throws: OptimizerStateError.self) { try optimizer.load(changed) }
            #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
            #expect(optimizer.state == state)
        }
        expectRefusal("1 parameters; expected 2") { $0.entries.removeLast() }
        expectRefusal("0 groups; expected 2") { $0.groups = [] }
        expectRefusal("2 values of exp_avg; expected 3") { $0.entries[0].arrays["exp_avg"]?.removeLast() }
        expectRefusal("parameter 1: no exp_avg_sq after 2 updates") { $0.entries[1].arrays["exp_avg_sq"] = nil }
        expectRefusal("an array 'average'") { $0.entries[1].arrays["average"] = [] }
        expectRefusal("beta1 1.0; expected a number from 0") { $0.groups[1]["beta1"] = 1 }
        expectRefusal("eps -1.0; expected 0 or a positive number") { $0.groups[0]["eps"] = -1 }
        expectRefusal("settings alpha, amsgrad") { $0.groups[0]["alpha"] = 1 }
    }
}
