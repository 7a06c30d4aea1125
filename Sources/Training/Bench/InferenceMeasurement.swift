internal import Layers
package import TensorCore

/// How fast a model goes on with one sequence, one token at a time, each drawn from the scores of the one before.
package struct InferenceMeasurement {
    package let tokens: Int
    package let seconds: Double
    /// P.
    package let parameters: Int

    /// - Parameter tokens: how many are measured, after a few that are not.
    package init(_ workload: Workload, cell: Cell, precision: Precision = .fp32, tokens: Int) {
        let model = LanguageModel(
            workload.configuration(cell: cell, precision: precision, parts: 1, shards: 1, steps: 1)
                .model(vocabularySize: workload.size.vocabulary))
        let warmup = 20
        let clock = ContinuousClock()
        var begun = clock.now
        var drawn = 0
        Sampler(model, settings: SamplingSettings()).run(prompt: [0]) { _ in
            drawn += 1
            if drawn == warmup { begun = clock.now }
            return drawn < warmup + tokens
        }
        seconds = (clock.now - begun) / .seconds(1)
        self.tokens = tokens
        parameters = model.parameters.reduce(0) { $0 + $1.count }
    }

    package var tokensPerSecond: Double { Double(tokens) / seconds }
}
