internal import Coordination
internal import Layers
internal import TensorCore

/// A step whose numbers are none: the run ends before anything is made of it.
package struct DivergenceError: Error, CustomStringConvertible {
    package let description: String

    /// - Parameter part: what of the step is not finite.
    package init(step: UInt64, part: String) {
        description =
            "step \(step): \(part) is not finite, and nothing of the step was kept; a lower learning rate or a clipped gradient may help"
    }

    /// - Parameters:
    ///   - checkpoint: the step of the newest checkpoint; nil where there is none.
    ///   - path: the run's directory.
    init(step: UInt64, part: String, checkpoint: UInt64?, path: String) {
        let advice =
            if let checkpoint {
                "the checkpoint of step \(checkpoint) is good; a lower --lr or --clip-norm may help, with --init-from \(path)/checkpoints/\(CheckpointStore.name(checkpoint))/parameters.safetensors"
            } else { "there is no checkpoint before it; a lower --lr or --clip-norm may help" }
        description = "step \(step): \(part) is not finite, and nothing of the step was kept; \(advice)"
    }
}

extension ParameterLayout {
    /// The first parameter whose gradient has a value that is not finite, by the order of the layout.
    func firstNonFinite(dense: Storage, tables: [RowGradient]) -> String? {
        var table = 0
        for entry in entries {
            let isFinite: Bool
            if let place = entry.densePlace {
                isFinite = dense.areFinite(place..<place + entry.range.count)
            } else {
                isFinite = tables[table].values.areFinite(0..<tables[table].values.count)
                table += 1
            }
            if !isFinite { return "the gradient of \(entry.name)" }
        }
        return nil
    }
}

extension Module {
    /// The first parameter with a value that is not finite.
    var firstNonFinite: String? {
        namedParameters.first { !$0.parameter.storage.areFinite(0..<$0.parameter.storage.count) }.map {
            "the parameter \($0.name)"
        }
    }
}
