internal import TensorCore

/// Changes parameters by their gradients, as PyTorch's `Optimizer`.
///
/// A step is `zeroGradients()`, a loss's `backward()`, `step()`. Schedules set the learning rates of the groups in between.
public protocol Optimizer: AnyObject {
    /// The parameters, with the settings that each group has.
    var parameterGroups: [ParameterGroup] { get set }

    /// Updates every parameter that has a gradient.
    func step()

    /// Forgets the gradients of all parameters.
    func zeroGradients()
}

extension Optimizer {
    public func zeroGradients() {
        for group in parameterGroups {
            for parameter in group.parameters { parameter.zeroGradient() }
        }
    }

    /// The learning rate of the first group; setting it sets that of every group.
    public var learningRate: Double {
        get { parameterGroups[0].learningRate }
        set {
            for index in parameterGroups.indices { parameterGroups[index].learningRate = newValue }
        }
    }
}
