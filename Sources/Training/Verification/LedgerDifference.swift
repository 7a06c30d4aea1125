internal import Sequences
internal import TensorCore

/// In what two entries of the same step differ, from what went in to what came out.
package struct LedgerDifference: Sendable, Equatable {
    package let step: UInt64
    /// Whether the step was computed from other rows.
    package let batchDiffers: Bool
    /// Shards whose own loss, tokens or bias gradients differ.
    package let shards: [Int]
    /// Parameters whose summed gradient differs, by name.
    package let gradients: [String]
    /// Parameters that differ after the update, by name.
    package let parameters: [String]
    package let lossDiffers: Bool
    package let tokensDiffer: Bool

    /// - Parameters:
    ///   - names: the parameters' names, in ascending byte order.
    ///   - shardCount: S of the run.
    /// - Returns: nil when they are equal.
    init?(_ left: LedgerEntry, _ right: LedgerEntry, names: [String], shardCount: Int) {
        precondition(left.step == right.step, "LedgerDifference: steps \(left.step) and \(right.step)")
        step = left.step
        batchDiffers = left.batch != right.batch
        lossDiffers = left.loss.bitPattern != right.loss.bitPattern
        tokensDiffer = left.tokens != right.tokens
        gradients = Self.names(where: left.gradient, right.gradient, of: names)
        parameters = Self.names(where: left.parameters, right.parameters, of: names)
        let size = max(1, shardCount / max(1, left.shards.count))
        shards =
            left.shards.count == right.shards.count
            ? zip(left.shards, right.shards).enumerated().flatMap { index, pair in
                pair.0 == pair.1 ? [] : Array(index * size..<(index + 1) * size)
            } : Array(0..<shardCount)
        // A checkpoint's SHA-256 is there by the settings of a run; the checksums beside it are there always.
        let hashesDiffer =
            left.parametersSHA256 != nil && right.parametersSHA256 != nil
            && left.parametersSHA256 != right.parametersSHA256
        guard
            batchDiffers || lossDiffers || tokensDiffer || hashesDiffer || !gradients.isEmpty || !parameters.isEmpty
                || !shards.isEmpty
        else { return nil }
    }

    private static func names(where left: [UInt64], _ right: [UInt64], of names: [String]) -> [String] {
        guard left.count == right.count, left.count == names.count else { return left == right ? [] : names }
        return zip(names, zip(left, right)).filter { $0.1.0 != $0.1.1 }.map(\.0)
    }

    /// The layers that differ, in the order of their names: of the gradients, or of the parameters where only those differ.
    package var layers: [String] {
        var seen: Set<String> = []
        return (gradients.isEmpty ? parameters : gradients).map(Self.layer).filter { seen.insert($0).inserted }
    }

    /// `recurrent.lstm layer 0` of `recurrent.lstm.weight_ih_l0`.
    static func layer(of parameter: String) -> String {
        let parts = parameter.split(separator: ".")
        let module = parts.dropLast().joined(separator: ".")
        let words = (parts.last ?? "").split(separator: "_").filter { $0 != "reverse" }
        guard let last = words.last, last.first == "l", let number = Int(last.dropFirst()) else {
            return module.isEmpty ? parameter : module
        }
        return module.isEmpty ? "layer \(number)" : "\(module) layer \(number)"
    }

    /// The sentence for people: step, shard, layer, and what of them.
    package var sentence: String {
        var parts: [String] = []
        if batchDiffers { parts.append("the batch") }
        if !shards.isEmpty {
            parts.append("\(shards.count == 1 ? "shard" : "shards") \(Self.list(shards.map(String.init)))")
        }
        if !layers.isEmpty {
            let what = gradients.isEmpty ? "parameters" : "gradient"
            let names = gradients.isEmpty ? parameters : gradients
            parts.append("\(what) of \(Self.list(layers)) (\(Self.list(names)))")
        }
        if lossDiffers { parts.append("the loss") }
        if tokensDiffer { parts.append("the count of tokens") }
        if parts.isEmpty { parts.append("the SHA-256 of the parameters") }
        var text = "step \(step): differs in \(parts.joined(separator: "; "))"
        if shards.isEmpty, !batchDiffers, !gradients.isEmpty {
            text +=
                "; every shard's loss and bias gradients are equal, so it arose in a weight's gradient or in their sum"
        }
        if gradients.isEmpty, !batchDiffers, !parameters.isEmpty {
            text += "; the gradients are equal, so it arose in the update"
        }
        return text
    }

    private static func list(_ words: [String]) -> String {
        words.count <= 6
            ? words.joined(separator: ", ") : words.prefix(5).joined(separator: ", ") + " and \(words.count - 5) more"
    }
}

extension RunRecord {
    /// Names of the model's parameters in the ledger's order.
    ///
    /// Of the smallest model with as many layers of the same cells: names do not depend on widths, and anybody may have written those.
    var parameterNames: [String] {
        var model = configuration.model(vocabularySize: 1)
        (model.embeddingDim, model.hiddenSize) = (1, 1)
        let layout = ShardComputer(model).layout
        return layout.indicesByName.map { layout.entries[$0].name }
    }
}
