package import Interchange
package import Layers
internal import TensorCore

// Parameters of a module as one block, in the layout's order.
extension ParameterLayout {
    /// Where each parameter of a module lies; one that is there under two names lies under the first.
    init(_ module: some Module) {
        var seen: Set<ObjectIdentifier> = []
        self.init(module.namedParameters.filter { seen.insert(ObjectIdentifier($0.parameter)).inserted })
    }

    /// Gives a module the parameters of a block; those of a view stay where they are.
    func write(_ block: Storage, to module: some Module) {
        require(block.count == count, "importParameters: a block of \(block.count) floats for \(count) parameters")
        for (parameter, entry) in zip(module.parameters, entries) {
            if block.isView {
                parameter.adopt(block.view(entry.range))
            } else {
                parameter.read(block, at: entry.range.lowerBound)
            }
        }
    }
}

extension Module {
    /// The parameters where they lie, under their names.
    package var namedTensors: [NamedTensor] {
        namedParameters.map { NamedTensor($0.name, $0.parameter.shape, $0.parameter.storage) }
    }
}
