internal import Optimizers
package import Sequences
package import TensorCore

/// The sizes that training speed is measured at.
package enum Workload: String, Sendable, CaseIterable {
    case hello, small = "S", medium = "M", zaremba = "Z", large = "XL"

    package struct Size: Sendable {
        package let vocabulary: Int
        package let embedding: Int
        package let hidden: Int
        package let layers: Int
        /// T.
        package let length: Int
        /// B, for each worker or thread.
        package let batch: Int
    }

    package var size: Size {
        switch self {
        case .hello: Size(vocabulary: 4, embedding: 10, hidden: 8, layers: 2, length: 5, batch: 1)
        case .small: Size(vocabulary: 96, embedding: 64, hidden: 128, layers: 1, length: 64, batch: 32)
        case .medium: Size(vocabulary: 256, embedding: 128, hidden: 512, layers: 2, length: 64, batch: 32)
        case .zaremba: Size(vocabulary: 10000, embedding: 650, hidden: 650, layers: 2, length: 35, batch: 20)
        case .large: Size(vocabulary: 10000, embedding: 1500, hidden: 1500, layers: 2, length: 35, batch: 20)
        }
    }

    /// - Parameters:
    ///   - parts: workers or threads that share a step; the batch grows with them.
    ///   - batch: B for each of them; nil is the table's.
    package func configuration(
        cell: Cell, precision: Precision = .fp32, parts: Int, batch: Int? = nil, shards: Int?, steps: UInt64
    ) -> RunConfiguration {
        var configuration = RunConfiguration(data: .generated(.hello))
        configuration.cell = cell
        configuration.precision = precision.recorded
        configuration.embeddingDim = size.embedding
        configuration.hiddenSize = size.hidden
        configuration.numLayers = size.layers
        configuration.seqLen = size.length
        configuration.batchSize = (batch ?? size.batch) * parts
        configuration.shards = shards ?? parts.nextPowerOfTwo
        configuration.lr = 1e-3
        configuration.schedule = LearningRateSchedule(shape: .constant)
        configuration.clipNorm = 1
        configuration.steps = steps
        return configuration
    }

    package func source(parts: Int, batch: Int? = nil) -> any SequenceSource {
        RandomTokens(size: size, batchSize: (batch ?? size.batch) * parts)
    }
}

extension Int {
    /// The smallest power of two that is not below it.
    fileprivate var nextPowerOfTwo: Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
