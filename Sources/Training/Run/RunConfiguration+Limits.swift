internal import Foundation
package import Sequences

extension RunConfiguration {
    /// Refuses a model or a batch that this machine cannot hold, before anything is made of it.
    package func requireMemory(vocabularySize: Int) throws(ConfigurationError) {
        try Self.require(
            estimatedBytes(vocabularySize: vocabularySize),
            of:
                "--hidden-size \(hiddenSize), --num-layers \(numLayers), --embedding-dim \(embeddingDim), --batch-size \(batchSize), --seq-len \(seqLen)"
        )
    }

    /// The same of the model alone, for a process that only uses it.
    func requireMemoryOfModel(vocabularySize: Int) throws(ConfigurationError) {
        try Self.require(
            model(vocabularySize: vocabularySize).bytesInUse,
            of: "--hidden-size \(hiddenSize), --num-layers \(numLayers), --embedding-dim \(embeddingDim)")
    }

    private static func require(_ needed: Double, of settings: String) throws(ConfigurationError) {
        let there = AvailableMemory.ofThisProcess
        guard needed > Double(there.bytes) else { return }
        throw ConfigurationError(
            description:
                "\(settings): needs about \(gigabytes(needed)) of memory; expected at most the \(there)"
        )
    }

    /// Holds sizes that a set of sequences fixes against those asked for.
    package func requireFit(_ source: any SequenceSource) throws(ConfigurationError) {
        for (flag, asked, there) in [
            ("--seq-len", seqLen, source.sequenceLength), ("--batch-size", batchSize, source.batchSize),
        ] where asked != there {
            throw ConfigurationError(
                description: "\(flag) \(asked): the sequences of \(source.name) fix it; expected \(there)")
        }
    }

    /// About how much memory a process that computes whole batches takes, in bytes.
    ///
    /// Of each parameter: itself, two packed forms, gradient, two moments and a copy on its way. Of each token: gates, states and
    /// their gradients of every layer, scores and their gradient.
    private func estimatedBytes(vocabularySize: Int) -> Double {
        let model = model(vocabularySize: vocabularySize)
        let token =
            2 * Double(vocabularySize)
            + model.inputWidths.reduce(0) { $0 + (Double(cell.gatesPerUnit) + 3) * Double(hiddenSize) + 2 * $1 }
        return 4 * (7 * model.parameterCount + token * Double(seqLen) * Double(batchSize))
    }

    /// Bytes that a file with the model's parameters stays well below, its header included.
    package func parameterFileLimit(vocabularySize: Int) -> Int {
        Int(min(1e18, 8 * model(vocabularySize: vocabularySize).parameterCount)) + 1 << 24
    }
}

extension ModelDescription {
    /// Numbers that the model has, but for the output layer's bias; as a fraction, since anybody may have written the sizes.
    var parameterCount: Double {
        let (hidden, gates) = (Double(hiddenSize), Double(cell.gatesPerUnit))
        return Double(vocabularySize) * (Double(embeddingDim) + hidden)
            + inputWidths.reduce(0) { $0 + gates * hidden * ($1 + hidden + 2) }
    }

    /// Of each layer.
    fileprivate var inputWidths: [Double] { (0..<numLayers).map { Double($0 == 0 ? embeddingDim : hiddenSize) } }

    /// About how much memory the model takes where it is only used: as it was read, as it is, and packed for products.
    var bytesInUse: Double { 16 * parameterCount }

    var fitsMemory: Bool { bytesInUse <= Double(AvailableMemory.ofThisProcess.bytes) }
}
