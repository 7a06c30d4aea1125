package import Sequences

extension RunConfiguration {
    /// Opens the data that the configuration names.
    ///
    /// - Throws: `SequenceError` when a file cannot be used; its message is one line.
    package func makeSource() throws(SequenceError) -> any SequenceSource {
        switch data {
        case .generated(let set):
            return set.source(seed: seed, batchSize: batchSize)
        case .text(let path, let mode):
            let text = try Text(TextFile.read(path), mode: mode)
            let parts = try TextParts(text, sequenceLength: seqLen, batchSize: batchSize)
            return stream ? try TextStreams(parts) : TextWindows(parts, seed: seed)
        }
    }
}
