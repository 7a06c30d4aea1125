import Layers
import Randomness
import TensorCore
import Testing

import Training

private func description(_ cell: Cell, _ nonlinearity: Nonlinearity = .tanh) -> ModelDescription {
    // Sizes around a panel of packed weights and off every vector width.
    ModelDescription(
        cell: cell, vocabularySize: 67, embeddingDim: 13, hiddenSize: 37, numLayers: 2, nonlinearity: nonlinearity,
        seed: 5)
}

private func tokens(_ count: Int, seed: UInt64) -> [Int32] {
    var random = RunDirectoryTesting.Generator(seed)
    return (0..<count).map { _ in Int32.random(in: 0..<67, using: &random) }
}

@Suite struct `Going on one token at a time` {
    @Test(arguments: [(Cell.lstm, Nonlinearity.tanh), (.gru, .tanh), (.rnn, .tanh), (.rnn, .relu)], [1, 3])
    func `gives the bits of the layers over whole sequences`(cell: (Cell, Nonlinearity), rows: Int) {
        let model = LanguageModel(description(cell.0, cell.1))
        let steps = 9
        let input = tokens(steps * rows, seed: 3)
        let whole = withoutGradients { model(IntTensor(input, shape: [steps, rows])).logits.values }
        let recurrence = model.recurrence(rows: rows)
        var stepwise: [Float] = []
        for step in 0..<steps {
            recurrence.advance(Array(input[step * rows..<(step + 1) * rows]))
            stepwise += unsafe Array(recurrence.scores.floats)
        }
        #expect(stepwise.map(\.bitPattern) == whole.map(\.bitPattern))
    }

    @Test func `keeps the parameters of the moment in which it was made`() {
        let model = LanguageModel(description(.gru))
        let recurrence = model.recurrence(rows: 1)
        recurrence.advance([4])
        let before = unsafe Array(recurrence.scores.floats)
        let other = model.recurrence(rows: 1)
        let weight = model.output.weight
        weight.assign(weight.values.map { $0 + 1 })
        other.advance([4])
        #expect(unsafe Array(other.scores.floats) == before)
        let later = model.recurrence(rows: 1)
        later.advance([4])
        #expect(unsafe Array(later.scores.floats) != before)
    }
}

@Suite struct `A draw` {
    private func drawn(_ settings: SamplingSettings, rows: Int = 1, count: Int = 40) -> [[Int32]] {
        var all: [[Int32]] = []
        Sampler(LanguageModel(description(.lstm)), settings: settings).run(prompt: [1, 2], rows: rows) { next in
            all.append(next)
            return all.count < count
        }
        return all
    }

    /// What the draws are defined as, from whole sequences and plain arrays.
    private func expected(_ settings: SamplingSettings, count: Int = 40) -> [[Int32]] {
        let model = LanguageModel(description(.lstm))
        var sequence: [Int32] = [1, 2]
        return (0..<count).map { position in
            let scores = withoutGradients { model(IntTensor(sequence, shape: [sequence.count, 1])).logits }
            let last = Array(scores.values.suffix(67))
            let next: Int32
            if settings.temperature == 0 {
                next = Int32(last.indices.max { last[$0] < last[$1] } ?? 0)
            } else {
                let shares = (Tensor(last) * (1 / settings.temperature)).softmax().values
                let order = shares.indices.sorted { (shares[$1], $0) < (shares[$0], $1) }
                let kept = settings.topK.map { Array(order.prefix($0)) } ?? Array(shares.indices)
                let total = kept.reduce(Float(0)) { $0 + shares[$1] }
                let point = Philox.uniform(
                    Philox(seed: settings.seed, purpose: .sampling).block(UInt32(position), 0, 0, 0).x)
                var sum: Float = 0
                next = Int32(
                    kept.first {
                        sum += shares[$0]
                        return sum > point * total
                    } ?? kept[kept.count - 1])
            }
            sequence.append(next)
            return [next]
        }
    }

    @Test(arguments: [
        SamplingSettings(seed: 7), SamplingSettings(temperature: 0.7, seed: 8),
        SamplingSettings(temperature: 1.5, topK: 5, seed: 9), SamplingSettings(topK: 1000),
        SamplingSettings(temperature: 0),
    ])
    func `follows from seed, position and scores alone`(settings: SamplingSettings) {
        #expect(drawn(settings) == expected(settings))
    }

    @Test func `of one row does not depend on the rows beside it`() {
        let settings = SamplingSettings(seed: 11)
        #expect(drawn(settings, rows: 3).map { $0[0] } == drawn(settings).map { $0[0] })
    }
}
