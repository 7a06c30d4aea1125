internal import CKernels
public import TensorCore

/// Adam (Kingma and Ba, 2015), as PyTorch's `Adam`.
///
/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
/// With `amsgrad` (Reddi, Kale and Kumar, 2018) the largest v so far stands in the place of v.
public final class Adam: ElementwiseOptimizer {
    /// One group for all parameters.
    public convenience init(
        _ parameters: [Parameter], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
        epsilon: Double = 1e-8, weightDecay: Double = 0, amsgrad: Bool = false, maximize: Bool = false,
        decoupledWeightDecay: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], learningRate: learningRate, betas: betas, epsilon: epsilon,
            weightDecay: weightDecay, amsgrad: amsgrad, maximize: maximize, decoupledWeightDecay: decoupledWeightDecay)
    }

    /// Groups with settings of their own; what a group leaves out is taken from here.
    ///
    /// - Parameters:
    ///   - weightDecay: added to the gradient, times the parameter.
    ///   - decoupledWeightDecay: takes the weight decay from the parameter itself, as `AdamW` does.
    public init(
        _ groups: [ParameterGroup], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
        epsilon: Double = 1e-8, weightDecay: Double = 0, amsgrad: Bool = false, maximize: Bool = false,
        decoupledWeightDecay: Bool = false
    ) {
        let defaults = AdamRule.defaults(
            learningRate, betas, epsilon, weightDecay, amsgrad, maximize, decoupled: decoupledWeightDecay)
        super.init(groups, rule: AdamRule(name: "Adam"), defaults: defaults)
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as PyTorch's `AdamW`.
///
/// p ← p · (1 − lr · weightDecay), then as `Adam`.
public final class AdamW: ElementwiseOptimizer {
    /// One group for all parameters.
    public convenience init(
        _ parameters: [Parameter], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
        epsilon: Double = 1e-8, weightDecay: Double = 1e-2, amsgrad: Bool = false, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], learningRate: learningRate, betas: betas, epsilon: epsilon,
            weightDecay: weightDecay, amsgrad: amsgrad, maximize: maximize)
    }

    /// Groups with settings of their own; what a group leaves out is taken from here.
    ///
    /// - Parameter weightDecay: times the learning rate, the part of each parameter that is taken from it.
    public init(
        _ groups: [ParameterGroup], learningRate: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999),
        epsilon: Double = 1e-8, weightDecay: Double = 1e-2, amsgrad: Bool = false, maximize: Bool = false
    ) {
        let defaults = AdamRule.defaults(
            learningRate, betas, epsilon, weightDecay, amsgrad, maximize, decoupled: true)
        super.init(groups, rule: AdamRule(name: "AdamW"), defaults: defaults)
    }
}

private struct AdamRule: UpdateRule {
    let name: String

    static func defaults(
        _ learningRate: Double, _ betas: (Double, Double), _ epsilon: Double, _ weightDecay: Double, _ amsgrad: Bool,
        _ maximize: Bool, decoupled: Bool
    ) -> HyperparameterValues {
        [
            .learningRate: learningRate, .beta1: betas.0, .beta2: betas.1, .epsilon: epsilon, .weightDecay: weightDecay,
            .amsgrad: amsgrad.number, .maximize: maximize.number, .decoupledWeightDecay: decoupled.number,
        ]
    }

    func arrays(of group: ParameterGroup) -> [StateArray] {
        group.amsgrad ? [.expAvg, .expAvgSq, .maxExpAvgSq] : [.expAvg, .expAvgSq]
    }

    func update(of slot: Slot, in group: ParameterGroup, by gradient: Gradient) -> BlockUpdate {
        let (beta1, beta2) = (Float(group.betas.0), Float(group.betas.1))
        let correction1 = 1 - slot.beta1Power(Double(beta1), slot.updates)
        let correction2 = 1 - slot.beta2Power(Double(beta2), slot.updates)
        let (decoupled, decay) = (group[.decoupledWeightDecay] != 0, Float(group.weightDecay))
        let settings = ck_adam_settings(
            divisor: gradient.divisor, clip: gradient.clip, beta1: beta1, beta2: beta2, epsilon: Float(group.epsilon),
            step_size: Float(group.learningRate / correction1), root_correction: Float(1 / correction2.squareRoot()),
            l2: decoupled ? 0 : decay, decay: decoupled ? 1 - Float(group.learningRate) * decay : 1)
        let (first, second) = (slot[.expAvg], slot[.expAvgSq])
        let largest = group.amsgrad ? slot[.maxExpAvgSq] : nil
        return { start, count, sum, values in
            var settings = settings
            if let largest {
                unsafe ck_amsgrad(
                    count, &settings, sum, values, first.base + start, second.base + start, largest.base + start)
            } else {
                unsafe ck_adam(count, &settings, sum, values, first.base + start, second.base + start)
            }
        }
    }
}
