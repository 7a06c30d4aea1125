import Sequences
import Testing

/// Row `row` of a batch as text: the inputs, and what is counted of the targets.
private func row(_ row: Int, of batch: TokenBatch) -> (inputs: String, counted: [(time: Int, symbol: String)]) {
    let positions = (0..<batch.steps).map { $0 * batch.rows + row }
    let decode = { (token: Int32) in AdditionSum.vocabulary.decode([token]) }
    let counted = positions.enumerated().filter { batch.targets[$0.element] >= 0 }
    return (
        positions.map { decode(batch.inputs[$0]) }.joined(),
        counted.map { ($0.offset, decode(batch.targets[$0.element])) }
    )
}

private func parse(_ inputs: String) -> AdditionSum {
    let operands = inputs.split(separator: "=")[0].split(separator: "+").map { Int($0)! }
    return AdditionSum(operands[0], operands[1])
}

@Test func `a sum is written units first`() {
    let decode = { (symbols: [Int32]) in AdditionSum.vocabulary.decode(symbols) }
    #expect(decode(AdditionSum(47, 385).prompt) == "47+385=")
    #expect(decode(AdditionSum(47, 385).answer) == "234\n")
    #expect(decode(AdditionSum(0, 0).prompt + AdditionSum(0, 0).answer) == "0+0=0\n")
    #expect(decode(AdditionSum(999, 999).prompt + AdditionSum(999, 999).answer) == "999+999=8991\n")
    #expect(decode(AdditionSum(90, 10).prompt + AdditionSum(90, 10).answer) == "90+10=001\n")
}

@Test func `only the answer counts, and lines are padded with newlines`() {
    let batch = AdditionSums.batch([AdditionSum(47, 385), AdditionSum(999, 999), AdditionSum(1, 2)])
    #expect(batch.steps == 12 && batch.rows == 3)
    #expect(row(0, of: batch).inputs == "47+385=234\n\n")
    #expect(row(0, of: batch).counted.map(\.time) == [6, 7, 8, 9])
    #expect(row(0, of: batch).counted.map(\.symbol) == ["2", "3", "4", "\n"])
    #expect(row(1, of: batch).inputs == "999+999=8991")
    #expect(row(1, of: batch).counted.map(\.time) == [7, 8, 9, 10, 11])
    #expect(row(2, of: batch).inputs == "1+2=3\n\n\n\n\n\n\n")
    #expect(row(2, of: batch).counted.map(\.symbol) == ["3", "\n"])
}

@Test func `training never draws a held-out sum, and lines are right`() {
    let source = AdditionSums(seed: 5, batchSize: 500)
    var classes: [Int: Int] = [:]
    for step in 0..<400 {
        let batch = source.batch(step: UInt64(step))
        for index in 0..<batch.rows {
            let digits = (0..<batch.steps).map { batch.inputs[$0 * batch.rows + index] }
            let equals = digits.firstIndex(of: 11)!
            let plus = digits.firstIndex(of: 10)!
            let number = { (range: Range<Int>) in digits[range].reduce(0) { $0 * 10 + Int($1) } }
            let sum = AdditionSum(number(0..<plus), number(plus + 1..<equals))
            #expect(!sum.isHeldOut && !AdditionSum(sum.second, sum.first).isHeldOut)
            classes[plus * 10 + (equals - plus - 1), default: 0] += 1
            guard step % 40 == 0 else { continue }
            let line = row(index, of: batch)
            #expect(line.inputs.hasPrefix(AdditionSum.vocabulary.decode(sum.prompt)))
            #expect(line.counted.map(\.symbol).joined() == AdditionSum.vocabulary.decode(sum.answer))
            #expect(line.counted.first?.time == equals)
        }
    }
    // 200,000 lines in nine classes of digits, 22,222 in each; six standard deviations, and what is held out of the
    // smallest.
    #expect(classes.count == 9)
    for (digits, count) in classes { #expect(abs(count - 22_222) < 845 + 22_222 / 16, "\(digits): \(count)") }
}

@Test func `a sum and its mirror image are held out together, about one in 64`() {
    var heldOut = 0
    for first in 0..<1000 {
        for second in first..<1000 where AdditionSum(first, second).isHeldOut {
            #expect(AdditionSum(second, first).isHeldOut)
            heldOut += 1
        }
    }
    // 500,500 unordered pairs; six standard deviations.
    #expect(abs(heldOut - 7_820) < 527, "\(heldOut)")
}

@Test func `validation is a fixed list of distinct held-out sums`() {
    let source = AdditionSums(seed: 1, batchSize: 256)
    #expect(source.heldOut.count == 2000)
    #expect(Set(source.heldOut).count == 2000)
    #expect(source.heldOut.allSatisfy { $0.isHeldOut })
    #expect(source.heldOut == AdditionSums(seed: 99, batchSize: 3).heldOut)
    #expect(Set(source.heldOut.map { [$0.first, $0.second].map { String($0).count } }).count >= 8)

    let batches = Array(source.validation)
    #expect(batches.map(\.rows) == [256, 256, 256, 256, 256, 256, 256, 208])
    let sums = batches.flatMap { batch in (0..<batch.rows).map { parse(row($0, of: batch).inputs) } }
    #expect(sums == source.heldOut)
}

@Test func `addition batches depend on seed and step alone`() {
    let (one, same, other) = (
        AdditionSums(seed: 1, batchSize: 64), AdditionSums(seed: 1, batchSize: 64), AdditionSums(seed: 2, batchSize: 64)
    )
    #expect(one.batch(step: 7) == same.batch(step: 7))
    #expect(one.batch(step: 7) != one.batch(step: 8))
    #expect(one.batch(step: 7) != other.batch(step: 7))
    // A row is drawn by itself: a smaller batch of the same step has the same first rows.
    #expect(AdditionSums(seed: 1, batchSize: 5).batch(step: 7) == one.batch(step: 7).rows(0..<5))
}
