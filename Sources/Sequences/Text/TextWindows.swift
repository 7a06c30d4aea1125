internal import Randomness

/// Windows of a text that begin anywhere in its training part, each drawn by itself.
package struct TextWindows: SequenceSource {
    package let parts: TextParts
    private let philox: Philox

    package init(_ parts: TextParts, seed: UInt64) {
        self.parts = parts
        philox = Philox(seed: seed, purpose: .windows)
    }

    package var name: String { parts.text.file.name }
    package var identity: [UInt8] { parts.text.file.bytes }
    package var vocabulary: Vocabulary { parts.text.vocabulary }
    package var sequenceLength: Int { parts.sequenceLength }
    package var batchSize: Int { parts.batchSize }
    package var carriesState: Bool { false }
    package var stepsPerEpoch: Int? { max(1, parts.training.count / sequenceLength / batchSize) }
    package var validation: TokenBatches { parts.validationWindows }

    /// The offset of row b is drawn from the block of counter (0, b, step).
    package func batch(step: UInt64) -> TokenBatch {
        let places = parts.training.count - sequenceLength
        let offsets = (0..<UInt32(batchSize)).map { Philox.bounded(philox.block(0, $0, step: step), below: places) }
        return parts.text.batch(offsets: offsets, steps: sequenceLength)
    }
}
