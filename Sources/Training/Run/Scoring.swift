internal import Sequences

/// What a generated set is scored by, beside the loss.
package enum Scoring {
    /// Strings that are drawn to judge a grammar.
    static let sampledStrings = 200

    /// The score of a model on a set; nil for texts, which have none.
    package static func score(
        _ model: LanguageModel, on data: RunConfiguration.DataSet, validation: Validation
    ) -> Score? {
        switch data {
        case .text: nil
        case .generated(.addition), .generated(.hello): Score(name: "exact match", value: validation.exactMatch)
        case .generated(.reber): Score(name: "accepted", value: acceptedShare(model))
        }
    }

    /// The share of sampled strings that the embedded Reber grammar accepts, each drawn from its start symbol at temperature 1.
    private static func acceptedShare(_ model: LanguageModel) -> Double {
        var strings = Array(repeating: [ReberGrammar.startSymbol], count: sampledStrings)
        var open = Set(strings.indices)
        // The longest string that training draws; a longer one has lost its way.
        let limit = 2 * ReberStrings.longestString
        Sampler(model, settings: SamplingSettings(seed: 1)).run(
            prompt: [ReberGrammar.startSymbol], rows: sampledStrings
        ) { drawn in
            for row in open {
                strings[row].append(drawn[row])
                if ReberGrammar.isOver(strings[row]) || strings[row].count >= limit { open.remove(row) }
            }
            return !open.isEmpty
        }
        return Double(strings.count { ReberGrammar.accepts($0) }) / Double(strings.count)
    }
}
