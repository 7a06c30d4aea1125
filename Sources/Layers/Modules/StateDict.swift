public import TensorCore

/// A state dict that does not belong to a module, with everything that is wrong with it.
public struct StateDictError: Error, Equatable, CustomStringConvertible {
    /// Names that the module has and the dict lacks.
    public var missing: [String] = []
    /// Names that the dict has and the module lacks.
    public var unexpected: [String] = []
    /// Names whose shapes differ.
    public var misshaped: [Shapes] = []

    /// One parameter of another shape.
    public struct Shapes: Equatable, Sendable {
        /// The parameter's name.
        public let name: String
        /// The module's shape.
        public let expected: [Int]
        /// The dict's shape.
        public let found: [Int]
    }

    /// Nothing is wrong.
    public var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && misshaped.isEmpty }

    public var description: String {
        var parts: [String] = []
        if !missing.isEmpty { parts.append("missing \(missing.map(\.cut).joined(separator: ", "))") }
        if !unexpected.isEmpty { parts.append("unexpected \(unexpected.map(\.cut).joined(separator: ", "))") }
        if !misshaped.isEmpty {
            parts.append(
                "of another shape "
                    + misshaped.map { "\($0.name.cut) \($0.found) where \($0.expected) is expected" }.joined(
                        separator: ", "))
        }
        return "state dict: \(parts.joined(separator: "; "))"
    }
}

extension String {
    /// A name that anybody may have written into a file, no longer than a line.
    package var cut: String { count > 100 ? "\(prefix(100))…" : self }
}

extension Module {
    /// A copy of every parameter's values under its name, as PyTorch's `state_dict`.
    public var stateDict: [String: Tensor] {
        Dictionary(
            namedParameters.map { ($0.name, Tensor($0.parameter.values, shape: $0.parameter.shape)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// Takes every parameter from a state dict, as PyTorch's `load_state_dict`. When it throws, no parameter has changed.
    ///
    /// - Parameter strict: whether missing and unexpected names are errors; shapes that differ always are.
    /// - Throws: `StateDictError` with all names that are missing, unexpected, or of another shape.
    public func load(stateDict: [String: Tensor], strict: Bool = true) throws(StateDictError) {
        var error = StateDictError()
        let own = namedParameters
        for (name, parameter) in own {
            guard let value = stateDict[name] else {
                if strict { error.missing.append(name) }
                continue
            }
            if value.shape != parameter.shape {
                error.misshaped.append(.init(name: name, expected: parameter.shape, found: value.shape))
            }
        }
        if strict { error.unexpected = Set(stateDict.keys).subtracting(own.map(\.name)).sorted() }
        guard error.isEmpty else { throw error }
        for (name, parameter) in own {
            if let value = stateDict[name] { parameter.assign(value.values) }
        }
    }
}
