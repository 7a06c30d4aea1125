import Cluster
import Testing

@Suite struct RestartPaceTests {
    @Test func `a worker is started again after ever longer waits, at most five seconds`() {
        var pace = RestartPace()
        let waits = (0..<8).map { _ in pace.died(after: .seconds(1), hasAnswered: true) }
        #expect(waits == [100, 200, 400, 800, 1600, 3200, 5000, 5000].map { .milliseconds($0) })
        // One that has lived is started at once.
        #expect(pace.died(after: .seconds(60), hasAnswered: true) == .milliseconds(100))
    }

    @Test func `five quick deaths in a row are enough`() {
        var pace = RestartPace()
        for _ in 0..<4 { #expect(pace.died(after: .seconds(4), hasAnswered: false) != nil) }
        #expect(pace.died(after: .seconds(4), hasAnswered: true) != nil)
        for _ in 0..<4 { #expect(pace.died(after: .zero, hasAnswered: false) != nil) }
        #expect(pace.died(after: .zero, hasAnswered: false) == nil)
    }
}
