internal import Layers
internal import Randomness
internal import TensorCore

/// Recurrent layers over sequences of several lengths, packed, beside the same layers over sequences of one length: what a real
/// token costs in each.
package struct PackedComparison {
    /// Seconds of forward and backward over the whole batch, one a round.
    package private(set) var equal: [Double] = []
    package private(set) var packed: [Double] = []
    package let equalTokens: Int
    package let packedTokens: Int

    /// Alternates the two, after one round of each that does not count.
    ///
    /// - Parameter shortest: lengths are drawn uniformly from it to the workload's T.
    package init(_ workload: Workload, cell: Cell, rounds: Int, shortest: Int = 1) {
        let size = workload.size
        let description = ModelDescription(
            cell: cell, vocabularySize: 1, embeddingDim: size.embedding, hiddenSize: size.hidden,
            numLayers: size.layers, seed: 0)
        let layers = RecurrentLayers(description, generator: Generator(seed: 0))
        let input = Parameter(
            Self.numbers(size.length * size.batch * size.embedding), shape: [size.length, size.batch, size.embedding])
        let philox = Philox(seed: 1, purpose: .generated)
        let shortest = min(shortest, size.length)
        let lengths = (0..<size.batch).map { row in
            shortest + Philox.bounded(philox.block(UInt32(row), 0, 0, 0), below: size.length - shortest + 1)
        }
        equalTokens = size.length * size.batch
        packedTokens = lengths.reduce(0, +)
        let batch = withoutGradients { packPaddedSequence(input.tensor, lengths: lengths) }
        let leaf = Parameter(batch.data.values, shape: batch.data.shape)
        for round in 0...rounds {
            let one = Self.seconds { layers(input.tensor, state: nil, dropout: nil).output.sum().backward() }
            let other = Self.seconds { layers.packedOutput(batch.map { _ in leaf.tensor }).data.sum().backward() }
            for parameter in layers.parameters + [input, leaf] { parameter.zeroGradient() }
            guard round > 0 else { continue }
            equal.append(one)
            packed.append(other)
        }
    }

    /// Seconds a real token, the median of all rounds.
    package var equalSecondsPerToken: Double { Self.median(equal) / Double(equalTokens) }
    package var packedSecondsPerToken: Double { Self.median(packed) / Double(packedTokens) }
    /// What a real token costs in a packed batch, over what it costs in one of equal lengths.
    package var ratio: Double { packedSecondsPerToken / equalSecondsPerToken }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static func numbers(_ count: Int) -> [Float] {
        let philox = Philox(seed: 0, purpose: .generated)
        return (0..<UInt32(count)).map { Philox.uniform(philox.block($0, 1, 0, 0).x) - 0.5 }
    }

    private static func seconds(_ body: () -> Void) -> Double { ContinuousClock().measure(body) / .seconds(1) }
}

extension RecurrentLayers {
    /// The top layer's output over sequences of several lengths.
    func packedOutput(_ input: PackedSequence) -> PackedSequence {
        switch self {
        case .rnn(let layers): layers(input).output
        case .lstm(let layers): layers(input).output
        case .gru(let layers): layers(input).output
        }
    }
}
