internal import CKernels
public import TensorCore

/// RMSprop (Tieleman and Hinton, 2012; centered as in Graves, 2013), as PyTorch's `RMSprop`.
///
/// s ← αs + (1 − α)g², b ← momentum · b + g / (√s + ε), p ← p − lr · b;
/// with `centered` a ← αa + (1 − α)g, and √(s − a²) stands in the place of √s.
public final class RMSprop: ElementwiseOptimizer {
    /// One group for all parameters.
    public convenience init(
        _ parameters: [Parameter], learningRate: Double = 1e-2, alpha: Double = 0.99, epsilon: Double = 1e-8,
        weightDecay: Double = 0, momentum: Double = 0, centered: Bool = false, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], learningRate: learningRate, alpha: alpha, epsilon: epsilon,
            weightDecay: weightDecay, momentum: momentum, centered: centered, maximize: maximize)
    }

    /// Groups with settings of their own; what a group leaves out is taken from here.
    ///
    /// - Parameter weightDecay: added to the gradient, times the parameter.
    public init(
        _ groups: [ParameterGroup], learningRate: Double = 1e-2, alpha: Double = 0.99, epsilon: Double = 1e-8,
        weightDecay: Double = 0, momentum: Double = 0, centered: Bool = false, maximize: Bool = false
    ) {
        super.init(
            groups, rule: RMSpropRule(),
            defaults: [
                .learningRate: learningRate, .alpha: alpha, .epsilon: epsilon, .weightDecay: weightDecay,
                .momentum: momentum, .centered: centered.number, .maximize: maximize.number,
            ])
    }
}

private struct RMSpropRule: UpdateRule {
    let name = "RMSprop"

    func arrays(of group: ParameterGroup) -> [StateArray] {
        [.squareAvg] + (group.momentum > 0 ? [.momentumBuffer] : []) + (group.centered ? [.gradAvg] : [])
    }

    func update(of slot: Slot, in group: ParameterGroup, by gradient: Gradient) -> BlockUpdate {
        let settings = ck_rmsprop_settings(
            divisor: gradient.divisor, clip: gradient.clip, l2: Float(group.weightDecay),
            learning_rate: Float(group.learningRate), alpha: Float(group.alpha), taken: Float(1 - group.alpha),
            epsilon: Float(group.epsilon), momentum: Float(group.momentum))
        let square = slot[.squareAvg]
        let mean = group.centered ? slot[.gradAvg] : nil
        let buffer = group.momentum > 0 ? slot[.momentumBuffer] : nil
        return { start, count, sum, values in
            var settings = settings
            let mean = unsafe mean.map { unsafe $0.base + start }
            let buffer = unsafe buffer.map { unsafe $0.base + start }
            unsafe ck_rmsprop(count, &settings, sum, values, square.base + start, mean, buffer)
        }
    }
}
