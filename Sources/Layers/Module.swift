public import TensorCore

/// Something with parameters: a layer, or a model made of layers.
///
/// Parameters are found by themselves: every stored property that is a `Parameter`, a module, or an array of modules counts, under its name,
/// joined by dots as in PyTorch's `state_dict`.
public protocol Module {
    /// Parameters by name, in layer order.
    var namedParameters: [(name: String, parameter: Parameter)] { get }
}

extension Module {
    public var namedParameters: [(name: String, parameter: Parameter)] {
        Mirror(reflecting: self).children.flatMap { child in
            named(child.value, child.label ?? "")
        }
    }

    public var parameters: [Parameter] { namedParameters.map(\.parameter) }

    /// The number of trained numbers, P.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

    /// Forgets the gradients of all parameters.
    public func zeroGradients() { parameters.forEach { $0.zeroGradient() } }
}

private func named(_ value: Any, _ name: String) -> [(name: String, parameter: Parameter)] {
    switch value {
    case let parameter as Parameter: [(name, parameter)]
    case let module as any Module: module.namedParameters.map { ("\(name).\($0.name)", $0.parameter) }
    case let modules as [any Module]:
        modules.enumerated().flatMap { index, module in
            module.namedParameters.map { ("\(name).\(index).\($0.name)", $0.parameter) }
        }
    default: []
    }
}
