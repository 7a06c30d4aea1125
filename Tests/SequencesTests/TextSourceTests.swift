import Sequences
import Testing

/// A text in which every three neighbouring characters occur once, so that a window says where it comes from.
private let letters = (0..<1000).map { Character(Unicode.Scalar(0x4E00 + $0)!) }
private let text = try! Text(TextFile(path: "dir/letters.txt", bytes: Array(String(letters).utf8)))

private func windows(seed: UInt64 = 1, fraction: Double = 0.1) throws -> TextWindows {
    TextWindows(
        try TextParts(text, sequenceLength: 7, batchSize: 5, validationFraction: fraction), seed: seed)
}

/// Checks that row `row` reads `text` from the returned offset on: token i of this text is i.
private func offset(of row: Int, in batch: TokenBatch) -> Int {
    let first = Int(batch.inputs[row])
    for time in 0..<batch.steps {
        #expect(batch.inputs[time * batch.rows + row] == Int32(first + time))
        #expect(batch.targets[time * batch.rows + row] == Int32(first + time + 1))
    }
    return first
}

@Test func `the last tenth of a text is held out`() throws {
    let parts = try TextParts(text, sequenceLength: 7, batchSize: 5)
    #expect(parts.training == 0..<900)
    #expect(parts.validation == 900..<1000)
}

@Test func `the batch of a step depends on seed and step alone`() throws {
    let (one, same, other) = (try windows(), try windows(), try windows(seed: 2))
    for step in [0, 1, 17, 1 << 40] as [UInt64] {
        #expect(one.batch(step: step) == same.batch(step: step))
        #expect(one.batch(step: step) != other.batch(step: step))
        #expect(one.batch(step: step) != one.batch(step: step + 1))
    }
    #expect(one.batch(step: 3) != one.batch(step: 3 + 1 << 32))
}

@Test func `windows cover the training part evenly, both ends included, and nothing else`() throws {
    let source = try windows()
    #expect(source.name == "letters.txt")
    #expect(!source.carriesState)
    #expect(source.stepsPerEpoch == 900 / 35)
    #expect(source.identity == Array(String(letters).utf8))
    var hits = [Int](repeating: 0, count: 900)
    let steps = 20_000
    for step in 0..<steps {
        let batch = source.batch(step: UInt64(step))
        #expect(batch.startsStream)
        for row in 0..<5 { hits[offset(of: row, in: batch)] += 1 }
    }
    #expect(hits[893...].allSatisfy { $0 == 0 }, "a window's last target is in the training part")
    // 112 expected at each of 893 offsets; seven standard deviations to either side.
    #expect(hits[..<893].allSatisfy { $0 > 112 - 74 && $0 < 112 + 74 })
}

@Test func `validation windows follow one another through the held-out part`() throws {
    let validation = try windows().validation
    // 99 tokens have a next one: 14 windows of 7, in batches of 5, 5 and 4.
    #expect(validation.map(\.rows) == [5, 5, 4])
    let offsets = validation.flatMap { batch in (0..<batch.rows).map { offset(of: $0, in: batch) } }
    #expect(offsets == (0..<14).map { 900 + 7 * $0 })
    #expect(try windows(fraction: 0).validation.isEmpty)
}

@Test func `a window needs the token after it too`() {
    let counts = [0, 1, 7, 8, 14, 15].map { tokens in
        text.windows(in: 900..<900 + tokens, sequenceLength: 7, batchSize: 5).reduce(0) { $0 + $1.rows }
    }
    #expect(counts == [0, 0, 0, 1, 1, 2])
}

@Test func `the chunks of each stream make up the text without a hole`() throws {
    let source = try TextStreams(try TextParts(text, sequenceLength: 7, batchSize: 5))
    #expect(source.carriesState)
    #expect(source.stepsPerEpoch == 25)
    var streams = [[Int32]](repeating: [], count: 5)
    for step in 0..<25 {
        let batch = source.batch(step: UInt64(step))
        #expect(batch.startsStream == (step == 0))
        for row in 0..<5 {
            #expect(offset(of: row, in: batch) == row * 175 + step * 7)
            streams[row] += (0..<7).map { batch.inputs[$0 * 5 + row] }
        }
    }
    #expect(streams.flatMap { $0 } == text.tokens(in: 0..<875))
    #expect(source.batch(step: 25) == source.batch(step: 0))
    #expect(source.batch(step: 25 * 1_000_000_007 + 24) == source.batch(step: 24))
}

// What a text is too short for.

private func short(_ count: Int) throws -> Text {
    try Text(TextFile(path: "notes.txt", bytes: (0..<count).map { UInt8(97 + $0 % 2) }))
}

@Test func `a part without room for one window is refused with the numbers`() throws {
    let fifty = try short(50)
    var error = #expect(throws: SequenceError.self) { try TextParts(fifty, sequenceLength: 64, batchSize: 2) }
    #expect(
        error
            == SequenceError(
                .tooShort,
                "notes.txt: the training part has 45 of the text's 50 characters; a sequence length of 64 needs one more than that, at least"
            ))
    error = #expect(throws: SequenceError.self) { try TextParts(fifty, sequenceLength: 5, batchSize: 2) }
    #expect(
        error
            == SequenceError(
                .tooShort,
                "notes.txt: the validation part has 5 of the text's 50 characters; a sequence length of 5 needs one more than that, at least"
            ))
}

@Test func `the shortest text that has one window in each part is enough`() throws {
    let source = TextWindows(try TextParts(try short(50), sequenceLength: 4, batchSize: 2), seed: 1)
    #expect(source.validation.map(\.rows) == [1])
    #expect(source.stepsPerEpoch == 5)
    let tight = TextWindows(
        try TextParts(try short(5), sequenceLength: 4, batchSize: 3, validationFraction: 0), seed: 1)
    #expect(tight.batch(step: 9).rows(1..<2).inputs == [0, 1, 0, 1])
    #expect(tight.stepsPerEpoch == 1)
}

@Test func `streams without a chunk for each are refused with the numbers`() throws {
    let parts = try TextParts(try short(60), sequenceLength: 5, batchSize: 11)
    let error = #expect(throws: SequenceError.self) { try TextStreams(parts) }
    #expect(
        error
            == SequenceError(
                .tooShort,
                "notes.txt: the training part has 54 characters; 11 streams with a sequence length of 5 need 11 x 5 + 1 of them, at least"
            ))
    #expect(try TextStreams(try TextParts(try short(63), sequenceLength: 5, batchSize: 11)).chunks == 1)
}
