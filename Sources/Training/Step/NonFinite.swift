internal import Coordination
internal import Layers
internal import TensorCore

/// A step whose numbers are none: the run ends before anything is made of it.
package struct DivergenceError: Error, CustomStringConvertible {
    package let description: String

    /// - Parameters:
    ///   - part: what of the step is not finite.
    ///   - clipNorm: bound of the gradients' global norm; 0 for none.
    package init(step: UInt64, part: String, clipNorm: Float) {
        let bound = clipNorm > 0 ? "a lower bound of the gradients' norm" : "a bound of the gradients' norm"
        description =
            "step \(step): \(part) is not finite, and nothing of the step was kept; a lower learning rate or \(bound) may help"
    }

    /// - Parameters:
    ///   - checkpoint: the step of the newest checkpoint; nil where there is none.
    ///   - path: the run's directory.
    ///   - configuration: what the run was told, part of which may have led there.
    init(step: UInt64, part: String, checkpoint: UInt64?, path: String, configuration: RunConfiguration) {
        let remedy = Self.remedy(configuration)
        let advice =
            if let checkpoint {
                "the checkpoint of step \(checkpoint) is good; \(remedy), with --init-from \("\(path)/checkpoints/\(CheckpointStore.name(checkpoint))/parameters.safetensors".shellWord)"
            } else { "there is no checkpoint before it; \(remedy)" }
        description = "step \(step): \(part) is not finite, and nothing of the step was kept; \(advice)"
    }

    /// `a lower --lr or --clip-norm may help`: what can be lower, and a bound where there is none.
    private static func remedy(_ configuration: RunConfiguration) -> String {
        let isClipped = configuration.clipNorm > 0
        var lower = ["--lr"]
        if isClipped { lower.append("--clip-norm") }
        // From where on they are more than usual.
        if configuration.weightDecay >= 1 { lower.append("--weight-decay") }
        if configuration.momentum ?? 0 > 0.9 { lower.append("--momentum") }
        return "a lower \(Self.oneOf(lower))\(isClipped ? "" : ", or --clip-norm 1,") may help"
    }

    private static func oneOf(_ names: [String]) -> String {
        names.count == 1 ? names[0] : "\(names.dropLast().joined(separator: ", ")) or \(names[names.count - 1])"
    }
}

extension ParameterLayout {
    /// The first parameter whose gradient has a value that is not finite, as gradients are computed: from the layer that is last in the
    /// layout backwards. Those of the layers before it follow from its own.
    func firstNonFinite(dense: Storage, tables: [RowGradient]) -> String? {
        var table = tables.count
        for entry in entries.reversed() {
            let isFinite: Bool
            if let place = entry.densePlace {
                isFinite = dense.areFinite(place..<place + entry.range.count)
            } else {
                table -= 1
                isFinite = tables[table].values.areFinite(0..<tables[table].values.count)
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
