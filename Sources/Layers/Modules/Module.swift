public import TensorCore

/// Something with parameters: a layer, or a model made of layers.
///
/// Parameters are found by themselves: every stored property that is a `Parameter`, a module, or a struct, tuple, optional, array or dictionary of them counts,
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
///
/// A `lazy` property counts from its first use on, so use it before the parameters are asked for.
public protocol Module {
    /// Parameters by name, in the order of the properties.
    var namedParameters: [(name: String, parameter: Parameter)] { get }
}

extension Module {
    public var namedParameters: [(name: String, parameter: Parameter)] {
        // A class may refer back to one that holds it.
        let identity = Self.self is AnyClass ? ObjectIdentifier(self as AnyObject) : nil
        if let identity, ModuleWalk.visiting.contains(identity) { return [] }
        return ModuleWalk.$visiting.withValue(ModuleWalk.visiting.union(identity.map { [$0] } ?? [])) {
            ModuleWalk.properties(of: self).flatMap { ModuleWalk.named($0.value, $0.name) }
        }
    }

    /// All parameters, each once, in the order of their names' first appearance.
    public var parameters: [Parameter] {
        var seen: Set<ObjectIdentifier> = []
        return namedParameters.map(\.parameter).filter { seen.insert(ObjectIdentifier($0)).inserted }
    }

    /// The number of trained numbers, P.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

    /// What the factors of its layers' matrix products are rounded to, from now on; the parameters themselves stay as they are.
    public func setPrecision(_ precision: Precision) { parameters.forEach { $0.precision = precision } }

    /// Forgets the gradients of all parameters.
    public func zeroGradients() { parameters.forEach { $0.zeroGradient() } }
}

/// The way down from a module to its parameters.
private enum ModuleWalk {
    /// The objects on the way here.
    @TaskLocal static var visiting: Set<ObjectIdentifier> = []

    /// Stored properties, those of superclasses first.
    static func properties(of value: Any) -> [(name: String, value: Any)] {
        var mirror: Mirror? = Mirror(reflecting: value)
        var levels: [Mirror] = []
        while let level = mirror {
            levels.insert(level, at: 0)
            mirror = level.superclassMirror
        }
        return levels.flatMap(\.children).map { child in
            let label = child.label ?? ""
            // A lazy property is stored under another name, and an element of a tuple under its place with a dot.
            let name = label.hasPrefix("$__lazy_storage_$_") ? String(label.dropFirst(18)) : label
            return (name.hasPrefix(".") ? String(name.dropFirst()) : name, child.value)
        }
    }

    static func named(_ value: Any, _ name: String) -> [(name: String, parameter: Parameter)] {
        switch value {
        case let parameter as Parameter: return [(name, parameter)]
        case let module as any Module: return module.namedParameters.map { ("\(name).\($0.name)", $0.parameter) }
        // Large, and nothing in it.
        case is [Float], is [Double], is [Int], is [Int32], is [UInt8], is String, is Tensor, is IntTensor: return []
        default: break
        }
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .collection: return mirror.children.enumerated().flatMap { named($1.value, "\(name).\($0)") }
        case .dictionary:
            let entries = mirror.children.compactMap { child -> (key: String, value: Any)? in
                let pair = Array(Mirror(reflecting: child.value).children)
                return pair.count == 2 ? ("\(pair[0].value)", pair[1].value) : nil
            }
            return entries.sorted { $0.key < $1.key }.flatMap { named($0.value, "\(name).\($0.key)") }
        case .optional: return mirror.children.first.map { named($0.value, name) } ?? []
        case .struct, .tuple: return properties(of: value).flatMap { named($0.value, "\(name).\($0.name)") }
        default: return []
        }
    }
}
