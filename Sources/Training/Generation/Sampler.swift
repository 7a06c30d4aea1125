internal import Randomness
internal import TensorCore

/// How the next token is drawn.
package struct SamplingSettings: Sendable, Equatable {
    /// Scores are divided by it first; 0 takes the most likely token.
    package var temperature: Float
    /// Only that many of the most likely tokens are drawn from; nil for all.
    package var topK: Int?
    package var seed: UInt64

    package init(temperature: Float = 1, topK: Int? = nil, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topK = topK
        self.seed = seed
    }
}

/// Goes on with sequences one token at a time.
///
/// A draw depends on (seed, row, position) and the scores alone, so that the same command prints the same text everywhere.
package struct Sampler {
    private let model: LanguageModel
    private let settings: SamplingSettings
    private let philox: Philox

    package init(_ model: LanguageModel, settings: SamplingSettings) {
        self.model = model
        self.settings = settings
        philox = Philox(seed: settings.seed, purpose: .sampling)
    }

    /// - Parameters:
    ///   - prompt: the tokens that every row begins with; not empty.
    ///   - rows: sequences drawn side by side.
    ///   - receive: gets the tokens drawn at one position, one a row; returns whether to go on.
    package func run(prompt: [Int32], rows: Int = 1, receive: ([Int32]) throws -> Bool) rethrows {
        require(!prompt.isEmpty, "Sampler: an empty prompt")
        try withoutGradients {
            var state: RecurrentState?
            var logits: Tensor?
            for token in prompt {
                let (scores, next) = model(
                    IntTensor(Array(repeating: token, count: rows), shape: [1, rows]), state: state)
                (logits, state) = (scores, next)
            }
            var position: UInt64 = 0
            while let scores = logits {
                let drawn = draw(scores, rows: rows, position: position)
                guard try receive(drawn) else { return }
                let (following, next) = model(IntTensor(drawn, shape: [1, rows]), state: state)
                (logits, state) = (following, next)
                position += 1
            }
        }
    }

    private func draw(_ logits: Tensor, rows: Int, position: UInt64) -> [Int32] {
        guard settings.temperature > 0 else { return logits.argmaxOfRows() }
        let classes = logits.shape.last ?? 0
        let shares = (logits.detached * (1 / settings.temperature)).softmax().values
        return (0..<rows).map { row in
            let own = shares[row * classes..<(row + 1) * classes]
            let words = philox.block(
                UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: position >> 32), UInt32(row), 0)
            return Int32(pick(Array(own), at: Philox.uniform(words.x)))
        }
    }

    /// The class at which the running sum of shares passes `point` of their whole.
    private func pick(_ shares: [Float], at point: Float) -> Int {
        let kept =
            settings.topK.map { limit in
                // Equal shares are kept in class order, so that a tie does not depend on the sort.
                Array(shares.indices.sorted { (shares[$1], $0) < (shares[$0], $1) }.prefix(limit))
            } ?? Array(shares.indices)
        let total = kept.reduce(Float(0)) { $0 + shares[$1] }
        var sum: Float = 0
        for index in kept {
            sum += shares[index]
            if sum > point * total { return index }
        }
        return kept.last ?? 0
    }
}
