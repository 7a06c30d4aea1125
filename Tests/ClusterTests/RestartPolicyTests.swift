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

    @Test func `as it was asked to is started again at once, but not for ever without a new step`() {
        var policy = RestartPolicy()
        for _ in 0..<3 { _ = policy.died() }
        var goesOn: [Bool] = []
        for _ in 0..<49 { goesOn.append(policy.diedAsPlanned()) }
        // An accident counts as it did.
        #expect(policy.died() == .milliseconds(3200))
        goesOn.append(policy.diedAsPlanned())
        policy.stepDone(1)
        goesOn.append(policy.diedAsPlanned())
        #expect(goesOn == Array(repeating: true, count: 49) + [false, true])
    }
}
