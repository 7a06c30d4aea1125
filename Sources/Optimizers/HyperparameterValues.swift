/// The settings of all optimisers, by PyTorch's names.
package enum Hyperparameter: String, Sendable, CaseIterable {
    case learningRate = "lr"
    case weightDecay = "weight_decay"
    case decoupledWeightDecay = "decoupled_weight_decay"
    case beta1, beta2
    case epsilon = "eps"
    case amsgrad, momentum, dampening, nesterov, alpha, centered, maximize

    fileprivate var place: Int {
        switch self {
        case .learningRate: 0
        case .weightDecay: 1
        case .decoupledWeightDecay: 2
        case .beta1: 3
        case .beta2: 4
        case .epsilon: 5
        case .amsgrad: 6
        case .momentum: 7
        case .dampening: 8
        case .nesterov: 9
        case .alpha: 10
        case .centered: 11
        case .maximize: 12
        }
    }

    fileprivate static let byName = allCases.sorted { $0.rawValue < $1.rawValue }
}

/// Some of the settings with their values: a dictionary whose keys are known, so that a step of a small model is not spent on hashing them.
package struct HyperparameterValues: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    private var numbers = SIMD16<Double>()
    private var isSet: UInt16 = 0

    package init() {}

    package init(dictionaryLiteral elements: (Hyperparameter, Double)...) {
        for (name, value) in elements { self[name] = value }
    }

    package subscript(name: Hyperparameter) -> Double? {
        get { isSet >> UInt16(name.place) & 1 == 1 ? numbers[name.place] : nil }
        set {
            numbers[name.place] = newValue ?? 0
            let bit: UInt16 = 1 << UInt16(name.place)
            isSet = newValue == nil ? isSet & ~bit : isSet | bit
        }
    }

    /// What is set, in the order of PyTorch's names.
    package var names: [Hyperparameter] { Hyperparameter.byName.filter { self[$0] != nil } }

    func hasSameNames(as other: HyperparameterValues) -> Bool { isSet == other.isSet }

    /// With the value of `other` for what is not set here.
    func completed(by other: HyperparameterValues) -> HyperparameterValues {
        var all = self
        for name in other.names where all[name] == nil { all[name] = other[name] }
        return all
    }
}
