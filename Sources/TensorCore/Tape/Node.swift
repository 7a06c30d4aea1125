/// One recorded operation: where its inputs came from, and how gradients pass through it.
package final class Node {
    /// The cotangents of the results, dL/d(result), nil where nothing arrived.
    package typealias Cotangents = [Tensor?]

    package let name: String
    /// Where each differentiable input came from.
    private(set) var parents: [Tensor.Origin]
    /// The parameters that the operation reads itself.
    let uses: [Parameter]
    var cotangents: Cotangents
    private var step: ((BackwardPass, Cotangents) -> Void)?

    package init(
        name: String, parents: [Tensor.Origin], outputs: Int, uses: [Parameter],
        backward: @escaping (BackwardPass, Cotangents) -> Void
    ) {
        self.name = name
        self.parents = parents
        self.uses = uses
        cotangents = Array(repeating: nil, count: outputs)
        step = backward
    }

    /// Lets go of what came before one operation after another: a chain of a hundred thousand, each freed inside the freeing of
    /// the next, would not fit on the stack.
    deinit {
        var left = parents.map(\.node)
        parents = []
        step = nil
        while var node = left.popLast() {
            guard isKnownUniquelyReferenced(&node) else { continue }
            left += node.parents.map(\.node)
            node.parents = []
            node.step = nil
        }
    }

    /// Hands the cotangents on. The record is consumed: activations are freed, or overwritten by their gradients.
    func run(_ pass: BackwardPass) {
        guard let step else { fatalError("backward: the graph through \(name) was already walked once") }
        self.step = nil
        let arrived = cotangents
        cotangents = Array(repeating: nil, count: arrived.count)
        if arrived.contains(where: { $0 != nil }) || parents.isEmpty { step(pass, arrived) }
    }
}

/// Whether operations record themselves.
public enum GradientMode {
    @TaskLocal package static var isEnabled = true
}

/// Runs `body` without recording anything: for validation, sampling and everything else that needs no gradient.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
    try GradientMode.$isEnabled.withValue(false, operation: body)
}

extension Tensor {
    /// Results of an operation, recorded when an input or a parameter wants a gradient.
    package static func recorded(
        _ name: String, inputs: [Tensor?], uses: [Parameter] = [], results: [Tensor],
        backward: @escaping (BackwardPass, Node.Cotangents) -> Void
    ) -> [Tensor] {
        let parents = inputs.compactMap { $0?.origin }
        guard GradientMode.isEnabled, !(parents.isEmpty && uses.isEmpty) else { return results }
        let node = Node(name: name, parents: parents, outputs: results.count, uses: uses, backward: backward)
        return results.enumerated().map { index, result in
            Tensor(
                shape: result.shape, storage: result.storage, offset: result.offset,
                origin: .init(node: node, output: index))
        }
    }
}
