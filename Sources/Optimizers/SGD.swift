internal import CKernels
public import TensorCore

/// Stochastic gradient descent with momentum, as PyTorch's `SGD`.
///
/// b ← momentum · b + (1 − dampening)g, at a parameter's first update b ← g; p ← p − lr · b,
/// with `nesterov` (Sutskever et al., 2013) p ← p − lr · (g + momentum · b), without momentum p ← p − lr · g.
public final class SGD: ElementwiseOptimizer {
    /// One group for all parameters.
    public convenience init(
        _ parameters: [Parameter], learningRate: Double = 1e-3, momentum: Double = 0, dampening: Double = 0,
        weightDecay: Double = 0, nesterov: Bool = false, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], learningRate: learningRate, momentum: momentum, dampening: dampening,
            weightDecay: weightDecay, nesterov: nesterov, maximize: maximize)
    }

    /// Groups with settings of their own; what a group leaves out is taken from here.
    ///
    /// - Parameter weightDecay: added to the gradient, times the parameter.
    public init(
        _ groups: [ParameterGroup], learningRate: Double = 1e-3, momentum: Double = 0, dampening: Double = 0,
        weightDecay: Double = 0, nesterov: Bool = false, maximize: Bool = false
    ) {
        super.init(
            groups, rule: SGDRule(),
            defaults: [
                .learningRate: learningRate, .momentum: momentum, .dampening: dampening, .weightDecay: weightDecay,
                .nesterov: nesterov.number, .maximize: maximize.number,
            ])
    }
}

private struct SGDRule: UpdateRule {
    let name = "SGD"

    func arrays(of group: ParameterGroup) -> [StateArray] { group.momentum != 0 ? [.momentumBuffer] : [] }

    func update(of slot: Slot, in group: ParameterGroup, by gradient: Gradient) -> BlockUpdate {
        let isFirst = slot.arrays[.momentumBuffer] == nil
        let buffer = group.momentum != 0 ? slot[.momentumBuffer] : nil
        let momentum = Float(group.momentum)
        let settings = ck_sgd_settings(
            divisor: gradient.divisor, clip: gradient.clip, l2: Float(group.weightDecay),
            learning_rate: Float(group.learningRate), carried: isFirst ? 0 : momentum,
            taken: isFirst ? 1 : Float(1 - group.dampening), ahead: group.nesterov ? momentum : 0)
        return { start, count, sum, values in
            var settings = settings
            let buffer = unsafe buffer.map { unsafe $0.base + start }
            unsafe ck_sgd(count, &settings, sum, values, buffer)
        }
    }
}
