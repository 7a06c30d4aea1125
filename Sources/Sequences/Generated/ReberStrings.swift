internal import Randomness

/// Strings of the embedded Reber grammar, drawn without end; every symbol but the first is predicted.
package struct ReberStrings: SequenceSource {
    package let batchSize: Int
    private let philox: Philox

    /// Symbols of the longest string that is drawn; of a thousand strings that the grammar makes, less than one is
    /// longer.
    package static let longestString = 32
    private static let validationStrings = 512

    package init(seed: UInt64, batchSize: Int) {
        precondition(batchSize > 0, "ReberStrings: B = \(batchSize)")
        self.batchSize = batchSize
        philox = Philox(seed: seed, purpose: .generated)
    }

    package var name: String { GeneratedSet.reber.rawValue }
    package var identity: [UInt8] { Array("reber/1".utf8) }
    package var vocabulary: Vocabulary { ReberGrammar.vocabulary }
    package var sequenceLength: Int { Self.longestString - 1 }
    package var carriesState: Bool { false }
    package var stepsPerEpoch: Int? { nil }

    package func batch(step: UInt64) -> TokenBatch {
        Self.batch((0..<UInt32(batchSize)).map { Self.string(philox, row: $0, step: step) })
    }

    /// 512 strings, the same in every run. The short ones occur in training too: the grammar has few of them.
    package var validation: TokenBatches {
        let philox = Philox(seed: 0, purpose: .validation)
        let (rows, all) = (batchSize, Self.validationStrings)
        return TokenBatches(count: all / rows + (all % rows > 0 ? 1 : 0)) { index in
            let strings = index * rows..<min(all, (index + 1) * rows)
            return Self.batch(strings.map { Self.string(philox, row: UInt32($0), step: 0) })
        }
    }

    private static func batch(_ strings: [[Int32]]) -> TokenBatch {
        TokenBatch(
            lines: strings, firstCounted: strings.map { _ in 1 }, steps: longestString - 1,
            padding: ReberGrammar.startSymbol)
    }

    /// The first draw of (row, step) that is not too long; draw n takes its turns by the bits of the block of counter
    /// (n, row, step), which has more of them than the longest string has symbols.
    static func string(_ philox: Philox, row: UInt32, step: UInt64) -> [Int32] {
        for draw in 0..<UInt32(1000) {
            let words = philox.block(draw, row, step: step)
            if let string = string(turns: UInt64(words.y) << 32 | UInt64(words.x)) { return string }
        }
        preconditionFailure("ReberStrings: 1000 too long strings in a row for row \(row) of step \(step)")
    }

    /// nil when the string would be longer than the longest allowed.
    private static func string(turns: UInt64) -> [Int32]? {
        var turns = turns
        var symbols: [Int32] = []
        symbols.reserveCapacity(longestString)
        var state = ReberGrammar.startState
        while state != ReberGrammar.acceptingState {
            guard symbols.count < longestString else { return nil }
            let ways = ReberGrammar.transitions[state]
            let way = ways[ways.count == 1 ? 0 : Int(turns & 1)]
            turns >>= 1
            symbols.append(way.symbol)
            state = way.state
        }
        return symbols
    }
}
