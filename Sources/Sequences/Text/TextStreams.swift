/// The training part of a text cut into B streams that lie one after another, read side by side in chunks of T tokens.
///
/// Each chunk begins where the chunk before it ended, so state is carried from step to step and gradients are truncated
/// at the chunk's edge. Every epoch reads the same chunks in the same order; at its first chunk state starts from zero.
package struct TextStreams: SequenceSource {
    package let parts: TextParts
    /// In each stream; what remains of the text, less than one chunk of every stream, is not used.
    package let chunks: Int

    /// - Throws: `tooShort` when the text has no chunk for every stream.
    package init(_ parts: TextParts) throws(SequenceError) {
        self.parts = parts
        let (tokens, steps, rows) = (parts.training.count, parts.sequenceLength, parts.batchSize)
        chunks = (tokens - 1) / steps / rows
        guard chunks > 0 else {
            throw SequenceError(
                .tooShort,
                "\(parts.text.file.path): the training part has \(tokens) \(parts.text.unit); "
                    + "\(rows) streams with a sequence length of \(steps) need \(rows) x \(steps) + 1 of them, at least"
            )
        }
    }

    package var name: String { parts.text.file.name }
    package var identity: [UInt8] { parts.text.file.bytes }
    package var vocabulary: Vocabulary { parts.text.vocabulary }
    package var sequenceLength: Int { parts.sequenceLength }
    package var batchSize: Int { parts.batchSize }
    package var carriesState: Bool { true }
    package var stepsPerEpoch: Int? { chunks }
    package var validation: TokenBatches { parts.validationWindows }

    package func batch(step: UInt64) -> TokenBatch {
        let chunk = Int(step % UInt64(chunks))
        let offsets = (0..<batchSize).map { (row: Int) in (row * chunks + chunk) * sequenceLength }
        return parts.text.batch(offsets: offsets, steps: sequenceLength, startsStream: chunk == 0)
    }
}
