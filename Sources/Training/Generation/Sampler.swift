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

    package init(_ model: LanguageModel, settings: SamplingSettings) {
        self.model = model
        self.settings = settings
    }

    /// - Parameters:
    ///   - prompt: the tokens that every row begins with; not empty.
    ///   - rows: sequences drawn side by side.
    ///   - receive: gets the tokens drawn at one position, one a row; returns whether to go on.
    package func run(prompt: [Int32], rows: Int = 1, receive: ([Int32]) throws -> Bool) rethrows {
        require(!prompt.isEmpty, "Sampler: an empty prompt")
        let recurrence = model.recurrence(rows: rows)
        var draw = TokenDraw(settings, rows: rows, classes: model.description.vocabularySize)
        var tokens = [Int32](repeating: 0, count: rows)
        for token in prompt {
            for row in tokens.indices { tokens[row] = token }
            recurrence.advance(tokens)
        }
        while true {
            draw.next(recurrence, into: &tokens)
            guard try receive(tokens) else { return }
            recurrence.advance(tokens)
        }
    }
}
