public import TensorCore

/// Something with parameters: a layer, or a model made of layers.
///
/// Parameters are found by themselves: every stored property that is a `Parameter`, a module, or an array or dictionary of them counts,
/// under its name, joined by dots as in PyTorch's `state_dict`: `encoder.weight_ih_l0`, `heads.0.bias`. A model is a struct or a class:
///
/// ```swift
/// struct Tagger: Module {
///     let embedding = Embedding(numEmbeddings: 1000, embeddingDim: 32)
///     let encoder = LSTM(inputSize: 32, hiddenSize: 64, bidirectional: true)
///     let head = Linear(inFeatures: 128, outFeatures: 17)
///
///     func callAsFunction(_ tokens: IntTensor) -> Tensor { head(encoder(embedding(tokens)).output) }
/// }
/// ```
public protocol Module {
    /// Parameters by name, in the order of the properties.
    var namedParameters: [(name: String, parameter: Parameter)] { get }
}

extension Module {
    public var namedParameters: [(name: String, parameter: Parameter)] {
        var found: [(name: String, parameter: Parameter)] = []
        var mirror: Mirror? = Mirror(reflecting: self)
        var levels: [Mirror] = []
        while let level = mirror {
            levels.insert(level, at: 0)
            mirror = level.superclassMirror
        }
        for child in levels.flatMap(\.children) { found += named(child.value, child.label ?? "") }
        return found
    }

    /// All parameters, each once, in the order of their names' first appearance.
    public var parameters: [Parameter] {
        var seen: Set<ObjectIdentifier> = []
        return namedParameters.map(\.parameter).filter { seen.insert(ObjectIdentifier($0)).inserted }
    }

    /// The number of trained numbers, P.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

    /// Forgets the gradients of all parameters.
    public func zeroGradients() { parameters.forEach { $0.zeroGradient() } }
}

private func named(_ value: Any, _ name: String) -> [(name: String, parameter: Parameter)] {
    // A lazy property is stored under another name.
    let name = name.hasPrefix("$__lazy_storage_$_") ? String(name.dropFirst(18)) : name
    switch value {
    case let parameter as Parameter: return [(name, parameter)]
    case let module as any Module: return module.namedParameters.map { ("\(name).\($0.name)", $0.parameter) }
    default: break
    }
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .collection:
        return mirror.children.enumerated().flatMap { named($1.value, "\(name).\($0)") }
    case .dictionary:
        guard let entries = value as? [String: Any] else { return [] }
        return entries.sorted { $0.key < $1.key }.flatMap { named($0.value, "\(name).\($0.key)") }
    case .optional:
        return mirror.children.first.map { named($0.value, name) } ?? []
    default: return []
    }
}
