/// The embedded Reber grammar: `B`, then `T` or `P`, then a Reber string, then the same `T` or `P`, then `E`.
///
/// The second symbol has to be remembered across a string of any length. A Reber string is a walk through
///
///     0 -B-> 1      1 -T-> 2   1 -P-> 3      2 -S-> 2   2 -X-> 4      3 -T-> 3   3 -V-> 5
///     4 -X-> 3   4 -S-> 6      5 -P-> 4   5 -V-> 6      6 -E-> end
///
/// Reber, "Implicit learning of artificial grammars", 1967; embedded by Cleeremans, Servan-Schreiber and McClelland,
/// 1989.
package enum ReberGrammar {
    package static let vocabulary = Vocabulary(symbols: "BTSXPVE")
    /// Every string begins with it.
    package static let startSymbol: Int32 = symbol("B")
    private static let endSymbol = symbol("E")

    /// One way on from a state.
    package struct Transition: Sendable, Equatable {
        package let symbol: Int32
        package let state: Int
    }

    package static let startState = 0
    /// The only state in which a string is whole; nothing goes on from it.
    package static let acceptingState = 19

    /// The ways on from each state: one, or two that a drawn string takes with equal chance.
    ///
    /// States 2 to 9 are the Reber string after `T`, 10 to 17 the same after `P`, its end included.
    package static let transitions: [[Transition]] = {
        let reber: [[(Character, Int)]] = [
            [("B", 1)], [("T", 2), ("P", 3)], [("S", 2), ("X", 4)], [("T", 3), ("V", 5)], [("X", 3), ("S", 6)],
            [("P", 4), ("V", 6)], [("E", 7)],
        ]
        func inner(_ first: Int, _ remembered: Character) -> [[Transition]] {
            reber.map { $0.map { Transition(symbol: symbol($0), state: first + $1) } }
                + [[Transition(symbol: symbol(remembered), state: 18)]]
        }
        return [
            [Transition(symbol: symbol("B"), state: 1)],
            [Transition(symbol: symbol("T"), state: 2), Transition(symbol: symbol("P"), state: 10)],
        ] + inner(2, "T") + inner(10, "P") + [[Transition(symbol: symbol("E"), state: acceptingState)], []]
    }()

    private static func symbol(_ letter: Character) -> Int32 {
        vocabulary.index(of: letter.unicodeScalars.first!.value)
    }

    /// Where a symbol leads; nil when the grammar does not allow it there.
    package static func state(after symbol: Int32, in state: Int) -> Int? {
        transitions[state].first { $0.symbol == symbol }?.state
    }

    /// Whether some symbols are one whole string of the grammar.
    package static func accepts(_ symbols: some Sequence<Int32>) -> Bool {
        var state = startState
        for symbol in symbols {
            guard let next = self.state(after: symbol, in: state) else { return false }
            state = next
        }
        return state == acceptingState
    }

    package static func accepts(_ string: String) -> Bool {
        accepts(string.unicodeScalars.map { vocabulary.index(of: $0.value) })
    }

    /// Whether a string that is being sampled is over, right or wrong: at its second `E`.
    package static func isOver(_ symbols: some Sequence<Int32>) -> Bool {
        symbols.reduce(0) { $0 + ($1 == endSymbol ? 1 : 0) } >= 2
    }
}
