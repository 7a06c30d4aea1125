import Interchange
import Lockstep
import TensorCore

/// A module with a case's parameters and inputs; the loss is the sum of outputs × cotangents.
final class ModuleRun {
    let file: SafetensorsFile
    /// Floating-point inputs, whose gradients are compared too.
    private var leaves: [String: Parameter] = [:]

    init(_ golden: GoldenCase) throws { file = try golden.file }

    func leaf(_ name: String) throws -> Parameter {
        guard let leaf = try optionalLeaf(name) else { throw GoldenError("no tensor \(name)") }
        return leaf
    }

    func optionalLeaf(_ name: String) throws -> Parameter? {
        let leaf = try file.leaf(name)
        leaves[name] = leaf
        return leaf
    }

    func load(into module: some Module) throws {
        try module.load(stateDict: file.tensors(prefix: "parameter."))
    }

    /// Walks back from the loss and compares outputs and every gradient that the file holds.
    func finish(_ outputs: [String: Tensor], of module: some Module) throws -> Deviations {
        try finish(outputs, parameters: module.namedParameters)
    }

    func finish(_ outputs: [String: Tensor], parameters: [(name: String, parameter: Parameter)]) throws -> Deviations {
        var deviations = Deviations()
        var loss: Tensor?
        for (name, output) in outputs.sorted(by: { $0.key < $1.key }) {
            try deviations.compare(name, output, in: file)
            let part = (output * (try file.tensor("cotangent.\(name)"))).sum()
            loss = loss.map { $0 + part } ?? part
        }
        loss?.backward()
        for name in file.names where name.hasPrefix("gradient.") {
            let owner = String(name.dropFirst("gradient.".count))
            guard let parameter = leaves[owner] ?? parameters.first(where: { $0.name == owner })?.parameter else {
                throw GoldenError("no parameter or input \(owner)")
            }
            try deviations.compare(name, parameter.gradient ?? .zeros(parameter.shape), in: file)
        }
        return deviations
    }
}
