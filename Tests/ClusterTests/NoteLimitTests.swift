import Cluster
import Testing

@Suite struct NoteLimitTests {
    @Test func `sentences beyond a burst are counted and named with the next one that is said`() {
        var limit = NoteLimit(burst: 3, perSecond: 2)
        let said = (0..<10).map { limit.take("\($0)", at: .milliseconds($0)) }
        #expect(said == [["0"], ["1"], ["2"]] + [[String]](repeating: [], count: 7))
        #expect(limit.take("late", at: .seconds(1)) == ["7 more such lines were left out", "late"])
    }

    @Test func `however many there are, two a second are said in the end, and rest makes room for a burst again`() {
        var limit = NoteLimit(burst: 20, perSecond: 2)
        let lines = (0..<100_000).reduce(0) { $0 + limit.take("\($1)", at: .milliseconds($1)).count }
        #expect((200...460).contains(lines))
        #expect((0..<30).count { !limit.take("\($0)", at: .seconds(1000)).isEmpty } == 20)
    }
}
