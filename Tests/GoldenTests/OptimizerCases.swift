import Interchange
import Optimizers
import TensorCore

/// Gives an optimiser the gradients of the case, step by step, and compares the parameters after each.
func runOptimizerCase(_ golden: GoldenCase) throws -> Deviations {
    let file = try golden.file
    let names = file.entries.map(\.name).filter { $0.hasPrefix("initial.") }.map { String($0.dropFirst(8)) }.sorted()
    let parameters = try names.map { name in
        Parameter(try file.floats("initial.\(name)"), shape: file["initial.\(name)"]?.shape ?? [])
    }
    let optimizer = try makeOptimizer(golden, parameters)
    let bound = golden.members.has("clip_norm") ? try golden.members.number("clip_norm") : nil
    var deviations = Deviations()
    var step = 0
    while file["after.\(step).\(names[0])"] != nil {
        optimizer.zeroGradients()
        for (name, parameter) in zip(names, parameters) {
            let gradient = try file.floats("gradient.\(step).\(name)", shape: parameter.shape)
            parameter.tensor.backward(cotangent: Tensor(gradient, shape: parameter.shape))
        }
        if let bound { clipGradientNorm(parameters, maxNorm: Float(bound)) }
        optimizer.step()
        for (name, parameter) in zip(names, parameters) {
            let expected = try file.floats("after.\(step).\(name)", shape: parameter.shape)
            try deviations.compare("after.\(step).\(name)", parameter.values, expected)
        }
        step += 1
    }
    guard step > 0 else { throw GoldenError("\(golden.name): no steps") }
    return deviations
}

private func makeOptimizer(_ golden: GoldenCase, _ parameters: [Parameter]) throws -> any Optimizer {
    let options = golden.options
    // How PyTorch computes, not what.
    let ways = ["foreach", "fused", "capturable", "differentiable"]
    let common = ["lr", "weight_decay", "maximize"] + ways
    let maximize = try options.flag("maximize", default: false)
    let decay = try options.number("weight_decay", default: golden.kind == "AdamW" ? 0.01 : 0)
    let rate = try options.number("lr", default: golden.kind == "RMSprop" ? 0.01 : 0.001)
    switch golden.kind {
    case "Adam", "AdamW":
        let own = golden.kind == "Adam" ? ["decoupled_weight_decay"] : []
        try options.allow(only: common + ["betas", "eps", "amsgrad"] + own)
        let betas = try options.numbers("betas", default: [0.9, 0.999])
        guard betas.count == 2 else { throw GoldenError("betas \(betas); expected two") }
        let epsilon = try options.number("eps", default: 1e-8)
        let amsgrad = try options.flag("amsgrad", default: false)
        if golden.kind == "AdamW" {
            return AdamW(
                parameters, learningRate: rate, betas: (betas[0], betas[1]), epsilon: epsilon, weightDecay: decay,
                amsgrad: amsgrad, maximize: maximize)
        }
        return Adam(
            parameters, learningRate: rate, betas: (betas[0], betas[1]), epsilon: epsilon, weightDecay: decay,
            amsgrad: amsgrad, maximize: maximize,
            decoupledWeightDecay: try options.flag("decoupled_weight_decay", default: false))
    case "SGD":
        try options.allow(only: common + ["momentum", "dampening", "nesterov"])
        return SGD(
            parameters, learningRate: rate, momentum: try options.number("momentum", default: 0),
            dampening: try options.number("dampening", default: 0), weightDecay: decay,
            nesterov: try options.flag("nesterov", default: false), maximize: maximize)
    case "RMSprop":
        try options.allow(only: common + ["alpha", "eps", "momentum", "centered"])
        return RMSprop(
            parameters, learningRate: rate, alpha: try options.number("alpha", default: 0.99),
            epsilon: try options.number("eps", default: 1e-8), weightDecay: decay,
            momentum: try options.number("momentum", default: 0),
            centered: try options.flag("centered", default: false), maximize: maximize)
    default: throw GoldenError("no optimiser \(golden.kind)")
    }
}
