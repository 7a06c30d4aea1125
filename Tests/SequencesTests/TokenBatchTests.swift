import Sequences
import Testing

private let batch = TokenBatch(
    steps: 2, rows: 5, inputs: [0, 1, 2, 3, 4, 10, 11, 12, 13, 14], targets: [5, 6, 7, 8, 9, -1, 16, -1, 18, 19],
    startsStream: false)

@Test func `rows of a batch are its columns`() {
    let part = batch.rows(1..<4)
    #expect(
        part
            == TokenBatch(
                steps: 2, rows: 3, inputs: [1, 2, 3, 11, 12, 13], targets: [6, 7, 8, 16, -1, 18], startsStream: false))
    #expect(batch.rows(0..<5) == batch)
    #expect(batch.rows(4..<5).inputs == [4, 14])
}

@Test func `only targets that are not minus one count`() {
    #expect(batch.countedTargets == 8)
    #expect(batch.rows(0..<1).countedTargets == 1)
}

@Test func `a row is exact when every counted position is right`() {
    #expect(batch.exactRows(batch.targets) == 5)
    var predictions = batch.targets
    predictions[5] = 3
    #expect(batch.exactRows(predictions) == 5, "what is not counted does not matter")
    predictions[0] = 4
    predictions[6] = 4
    predictions[1] = 4
    #expect(batch.exactRows(predictions) == 3, "two mistakes in one row are one inexact row")
}

@Test func `shapes and tokens out of range stop the process`() async {
    await #expect(processExitsWith: .failure) {
        _ = TokenBatch(steps: 2, rows: 3, inputs: [0, 1, 2], targets: [0, 1, 2])
    }
    await #expect(processExitsWith: .failure) {
        _ = TokenBatch(steps: 1, rows: 3, inputs: [0, 1, 2], targets: [0, 1, 2]).rows(2..<4)
    }
    await #expect(processExitsWith: .failure) { _ = Vocabulary(symbols: "abc").decode([3]) }
    await #expect(processExitsWith: .failure) { _ = AdditionSum(1000, 0) }
}
