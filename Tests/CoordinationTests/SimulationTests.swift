import Coordination
import Testing

@Suite struct SimulationTests {
    @Test
    func `whole trainings under drops, repeats, reorders, delays, crashes and joins end with the fault-free result`() {
        var seen = CoordinatorTotals()
        let seeds = testSeeds(300)
        for seed in seeds {
            var generator = SeededGenerator(seed: seed)
            var simulation = Simulation(.random(using: &generator), seed: seed)
            do {
                try simulation.runToEnd()
            } catch {
                Issue.record("\(error); \(replay(seed))")
            }
            #expect(simulation.conflicts == 0, replay(seed))
            for counters in simulation.counters { seen.add(counters) }
        }
        guard seeds.count > 1 else { return }
        // The faults were there.
        #expect(seen.lost > 100 && seen.repeated > 100 && seen.equal > 20 && seen.local > 100)
        for reason in [
            CoordinatorCounters.Stale.incarnation, .session, .step, .unassigned, .repeatedFrame, .unknownSender,
        ] {
            #expect(seen.stale[reason, default: 0] > 20, "\(reason)")
        }
    }

    private struct CoordinatorTotals {
        var lost = 0
        var repeated = 0
        var equal = 0
        var local = 0
        var stale: [CoordinatorCounters.Stale: Int] = [:]

        mutating func add(_ counters: CoordinatorCounters) {
            lost += counters.lost
            repeated += counters.rangesRepeated
            equal += counters.equalAnswers
            local += counters.shardsComputedLocally
            stale.merge(counters.stale, uniquingKeysWith: +)
        }
    }

    @Test func `without faults every range is computed once and by a worker`() throws {
        var plan = SimulationPlan(shards: 16, steps: 20, workers: 4)
        plan.shardMilliseconds = 5...6
        plan.fallbackAfter = .seconds(100)
        var simulation = Simulation(plan, seed: 3)
        try simulation.runToEnd()
        let counters = try #require(simulation.counters.last)
        #expect(counters.stepsReduced == 20)
        #expect(counters.lost == 0 && counters.shardsComputedLocally == 0 && counters.rangesRepeated == 0)
        #expect(counters.stale.isEmpty && counters.malformed.isEmpty)
    }

    @Test func `nothing grows over ten thousand steps`() throws {
        var plan = SimulationPlan(shards: 4, steps: 10_000, workers: 2)
        plan.shardMilliseconds = 1...3
        plan.endsBy = .seconds(100_000)
        var simulation = Simulation(plan, seed: 4)
        try simulation.runToEnd()
        #expect(simulation.counters.last?.stepsReduced == 10_000)
        #expect(simulation.largestLoad < 60)
    }

}
