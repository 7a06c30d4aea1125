public import TensorCore

/// Parameters that share their settings, as an entry of PyTorch's `param_groups`.
///
/// What is left out when a group is made takes the optimiser's default; a setting that the optimiser does not have is refused.
public struct ParameterGroup {
    /// What an update changes.
    public let parameters: [Parameter]
    /// What is set; once an optimiser has the group, all that it knows.
    package internal(set) var values = HyperparameterValues()
    /// The learning rate before any schedule changed it, as PyTorch's `initial_lr`; nil without a schedule.
    package var initialLearningRate: Double?

    /// - Parameter parameters: of this group; a parameter belongs to one group.
    public init(
        _ parameters: [Parameter], learningRate: Double? = nil, weightDecay: Double? = nil,
        betas: (Double, Double)? = nil, epsilon: Double? = nil, amsgrad: Bool? = nil, momentum: Double? = nil,
        dampening: Double? = nil, nesterov: Bool? = nil, alpha: Double? = nil, centered: Bool? = nil,
        maximize: Bool? = nil
    ) {
        self.parameters = parameters
        let given: [(Hyperparameter, Double?)] = [
            (.learningRate, learningRate), (.weightDecay, weightDecay), (.beta1, betas?.0), (.beta2, betas?.1),
            (.epsilon, epsilon), (.amsgrad, amsgrad.map(\.number)), (.momentum, momentum), (.dampening, dampening),
            (.nesterov, nesterov.map(\.number)), (.alpha, alpha), (.centered, centered.map(\.number)),
            (.maximize, maximize.map(\.number)),
        ]
        for case (let name, let value?) in given { values[name] = value }
    }
}

extension ParameterGroup {
    /// The rate of the next update; schedules set it.
    public var learningRate: Double {
        get { self[.learningRate] }
        set { self[.learningRate] = newValue }
    }
    /// Times the parameter, what is added to its gradient; with `AdamW`, the part that is taken from it.
    public var weightDecay: Double {
        get { self[.weightDecay] }
        set { self[.weightDecay] = newValue }
    }
    /// Adam's β₁ and β₂.
    public var betas: (Double, Double) {
        get { (self[.beta1], self[.beta2]) }
        set { (self[.beta1], self[.beta2]) = newValue }
    }
    /// ε, added to the root that Adam and RMSprop divide by.
    public var epsilon: Double {
        get { self[.epsilon] }
        set { self[.epsilon] = newValue }
    }
    /// Divides by the root of the largest average so far.
    public var amsgrad: Bool {
        get { self[.amsgrad] != 0 }
        set { self[.amsgrad] = newValue.number }
    }
    /// The part of the last update's direction that is kept.
    public var momentum: Double {
        get { self[.momentum] }
        set { self[.momentum] = newValue }
    }
    /// The part of the gradient that momentum leaves out.
    public var dampening: Double {
        get { self[.dampening] }
        set { self[.dampening] = newValue }
    }
    /// Looks ahead by the momentum.
    public var nesterov: Bool {
        get { self[.nesterov] != 0 }
        set { self[.nesterov] = newValue.number }
    }
    /// α, the part of the average of squares that RMSprop keeps.
    public var alpha: Double {
        get { self[.alpha] }
        set { self[.alpha] = newValue }
    }
    /// Takes the square of the mean gradient from the average of squares.
    public var centered: Bool {
        get { self[.centered] != 0 }
        set { self[.centered] = newValue.number }
    }
    /// Goes up the gradient instead of down.
    public var maximize: Bool {
        get { self[.maximize] != 0 }
        set { self[.maximize] = newValue.number }
    }

    package subscript(name: Hyperparameter) -> Double {
        get {
            guard let value = values[name] else { fatalError("ParameterGroup: nothing has set \(name.rawValue)") }
            return value
        }
        set { values[name] = newValue }
    }
}

extension Bool {
    /// 1 or 0.
    var number: Double { self ? 1 : 0 }
}
