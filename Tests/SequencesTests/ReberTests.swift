import Sequences
import Testing

private func strings(_ batch: TokenBatch) -> [[Int32]] {
    (0..<batch.rows).map { row in
        let counted = (0..<batch.steps).map { $0 * batch.rows + row }.filter { batch.targets[$0] >= 0 }
        return [batch.inputs[row]] + counted.map { batch.targets[$0] }
    }
}

@Test(arguments: [
    ("BTBTXSETE", true), ("BPBPVVEPE", true), ("BTBTSSSXSETE", true), ("BPBPTTVPXTVPSEPE", true),
    ("BTBTXXTTVPXVVETE", true), ("BTBTXSEPE", false), ("BPBPVVETE", false), ("BTXSE", false), ("BTBTXSET", false),
    ("BTBTXSETEE", false), ("TBTXSETE", false), ("", false), ("BTBTXSEtE", false), ("BTBTXSET🙂", false),
])
func `the grammar accepts its strings and no others`(string: String, accepted: Bool) {
    #expect(ReberGrammar.accepts(string) == accepted)
}

@Test func `every drawn string is accepted, and inputs run one symbol behind targets`() {
    let source = ReberStrings(seed: 11, batchSize: 128)
    var lengths: [Int] = []
    var seconds: [Int32: Int] = [:]
    for step in 0..<100 {
        let batch = source.batch(step: UInt64(step))
        #expect(batch.steps == source.sequenceLength && batch.rows == 128)
        for (row, string) in strings(batch).enumerated() {
            #expect(ReberGrammar.accepts(string), "\(source.vocabulary.decode(string))")
            #expect((0..<string.count - 1).allSatisfy { batch.inputs[$0 * 128 + row] == string[$0] })
            #expect((string.count - 1..<batch.steps).allSatisfy { batch.targets[$0 * 128 + row] == -1 })
            lengths.append(string.count)
            seconds[string[1], default: 0] += 1
        }
    }
    #expect(lengths.min() == 9)
    #expect(lengths.max()! > 24 && lengths.max()! <= ReberStrings.longestString)
    // 12,800 strings: the mean length of the grammar is 12.0, and both second symbols are equally likely.
    #expect(abs(Double(lengths.reduce(0, +)) / 12_800 - 12) < 0.25)
    #expect(seconds.count == 2 && seconds.values.allSatisfy { abs($0 - 6_400) < 340 })
}

/// A change of one symbol can give another string of the grammar (S and X are both right in places), so the judge here
/// is a list of all short strings, made by exhaustive search of a grammar written down a second time.
@Test func `mutated strings are refused unless the grammar has them`() {
    let edges: [Int: [(String, Int)]] = [
        0: [("B", 1)], 1: [("T", 2), ("P", 3)], 2: [("S", 2), ("X", 4)], 3: [("T", 3), ("V", 5)],
        4: [("X", 3), ("S", 6)], 5: [("P", 4), ("V", 6)], 6: [("E", 7)],
    ]
    var inner: [String] = []
    func walk(_ state: Int, _ prefix: String) {
        if state == 7 { return inner.append(prefix) }
        guard prefix.count < 12 else { return }
        for (symbol, next) in edges[state]! { walk(next, prefix + symbol) }
    }
    walk(0, "")
    let language = Set(inner.flatMap { ["BT\($0)TE", "BP\($0)PE"] })
    #expect(language.allSatisfy { ReberGrammar.accepts($0) })

    var refused = 0
    for string in language {
        for position in string.indices {
            for symbol in "BTSXPVE" where symbol != string[position] {
                var mutated = string
                mutated.replaceSubrange(position...position, with: String(symbol))
                #expect(ReberGrammar.accepts(mutated) == language.contains(mutated), "\(mutated)")
                if !language.contains(mutated) { refused += 1 }
            }
            var shorter = string
            shorter.remove(at: position)
            #expect(ReberGrammar.accepts(shorter) == language.contains(shorter), "\(shorter)")
        }
    }
    #expect(refused > 1000)
}

@Test func `a sampled string is over at its second E`() throws {
    let encode = { (string: String) in try ReberGrammar.vocabulary.encode(string) }
    #expect(!ReberGrammar.isOver(try encode("BTBTXSET")))
    #expect(ReberGrammar.isOver(try encode("BTBTXSETE")))
    #expect(ReberGrammar.isOver(try encode("BEE")), "a wrong string is over too")
    #expect(!ReberGrammar.isOver(try encode("")))
}

@Test func `reber batches depend on seed and step, its validation on neither`() {
    let source = ReberStrings(seed: 1, batchSize: 100)
    #expect(source.batch(step: 3) == ReberStrings(seed: 1, batchSize: 100).batch(step: 3))
    #expect(source.batch(step: 3) != source.batch(step: 4))
    #expect(source.batch(step: 3) != ReberStrings(seed: 2, batchSize: 100).batch(step: 3))
    let validation = source.validation.flatMap(strings)
    #expect(source.validation.map(\.rows) == [100, 100, 100, 100, 100, 12])
    #expect(validation == ReberStrings(seed: 2, batchSize: 7).validation.flatMap(strings))
    #expect(validation.allSatisfy { ReberGrammar.accepts($0) })
    // 154 different strings among 512 on average, with a standard deviation of 9.
    #expect(Set(validation).count > 120)
}
