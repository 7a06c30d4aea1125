import Cluster
import Testing

@Suite struct `A coordinator that dies` {
    @Test func `is started again at once, then later and later, then not at all`() {
        var policy = RestartPolicy()
        var delays: [Duration?] = []
        for _ in 0..<5 { delays.append(policy.died()) }
        #expect(delays == [.zero, .milliseconds(200), .milliseconds(800), .milliseconds(3200), nil])
    }

    @Test func `is taken for healthy again after a step that no other had done`() {
        var policy = RestartPolicy()
        for _ in 0..<4 { _ = policy.died() }
        policy.stepDone(7)
        #expect(policy.died() == .zero)
        // Steps done again after a checkpoint are no progress.
        policy.stepDone(5)
        policy.stepDone(7)
        #expect(policy.died() == .milliseconds(200))
        policy.stepDone(8)
        #expect(policy.deaths == 0)
    }
}
