import Coordination
import Testing

@Suite struct SimulationTests {
    @Test
    func
        `whole trainings under faults drawn from a seed keep every promise at every event and end with the fault-free bytes`()
    {
        let seeds = simulationSeeds(1000)
        var totals = Totals()
        for seed in seeds {
            do { totals.add(try Simulation.run(seed: seed), seed) } catch {
                Issue.record("\(error)\n\(replay(seed))")
            }
        }
        if isSimulatingMore { print(totals.description) }
        guard seeds.count >= 1000 else { return }
        // The faults were there.
        for fault in Simulation.Fault.allCases { #expect(totals.faults[fault, default: 0] > 100, "\(fault)") }
        #expect(totals.powerCuts > 100 && totals.flips > 100 && totals.conflicts > 5)
        #expect(totals.lost > 100 && totals.repeated > 100 && totals.equal > 20 && totals.local > 100)
        #expect(totals.silent > 100 && totals.doubts > 100)
        #expect(totals.audited > 100 && totals.outvoted > 20 && totals.restarted > 0 && totals.slipped > 5)
        for reason in [
            CoordinatorCounters.Stale.incarnation, .session, .step, .unassigned, .repeatedFrame, .unknownSender,
        ] {
            #expect(totals.stale[reason, default: 0] > 20, "\(reason)")
        }
    }

    @Test func `without faults every range is computed once and by a worker`() throws {
        var plan = FaultPlan(shards: 16, steps: 20, workers: 4)
        plan.shardTime = 5000...6000
        plan.fallbackAfter = .seconds(100)
        let counters = try #require(try Simulation.run(seed: 3, plan: plan).counters.last)
        #expect(counters.stepsReduced == 20)
        #expect(counters.lost == 0 && counters.shardsComputedLocally == 0 && counters.rangesRepeated == 0)
        // A worker that comes while the run is stopped is told so.
        #expect(counters.stale.keys.allSatisfy { $0 == .stopped } && counters.malformed.isEmpty)
    }

    @Test(arguments: [0, 1], [1, 3])
    func `a run ends with one worker that answers, or none, however many say that they compute`(
        healthy: Int, silent: Int
    ) throws {
        var plan = FaultPlan(shards: 8, steps: 20, workers: healthy + silent)
        plan.silentWorkers = silent
        if healthy > 0 { plan.fallbackAfter = .seconds(100_000) }
        for seed in 0..<10 {
            let tally = try Simulation.run(seed: UInt64(seed), plan: plan)
            let counters = try #require(tally.counters.last)
            #expect(counters.stepsReduced == 20 && counters.lost == 0 && counters.dropped == 0)
            #expect((counters.shardsComputedLocally > 0) == (healthy == 0))
            // They cost once what it takes to notice them, not at every step.
            #expect(tally.end < .seconds(60), "\(tally.end)")
        }
    }

    @Test func `nothing grows over ten thousand steps`() throws {
        var plan = FaultPlan(shards: 4, steps: 10_000, workers: 2)
        plan.shardTime = 1000...3000
        let tally = try Simulation.run(seed: 4, plan: plan)
        #expect(tally.counters.last?.stepsReduced == 10_000)
        #expect(tally.largestQueue < 60)
    }

    @Test(.enabled(if: simulationSeeds(2).count > 1), arguments: PlantedBug.allCases)
    func `a planted bug is noticed`(bug: PlantedBug) throws {
        var tried = 0
        for seed in simulationSeeds(bug == .acceptStaleIncarnation ? 200 : 2000) {
            tried += 1
            do { _ = try Simulation.run(seed: seed, bug: bug) } catch {
                // Of the bug, and of nothing else.
                _ = try Simulation.run(seed: seed)
                guard isSimulatingMore else { return }
                print("\(bug) noticed by seed \(tried): \("\(error)".split(separator: "\n").first ?? "")")
                return
            }
        }
        Issue.record("\(bug) was not noticed in \(tried) seeds")
    }

    /// What the simulations of many seeds came to.
    private struct Totals: CustomStringConvertible {
        var seeds = 0
        var events = 0
        var shares: [(share: Double, seed: UInt64)] = []
        var seconds = 0
        var faults: [Simulation.Fault: Int] = [:]
        var powerCuts = 0
        var conflicts = 0
        var flips = 0
        var lost = 0
        var repeated = 0
        var equal = 0
        var local = 0
        var audited = 0
        var outvoted = 0
        var restarted = 0
        var slipped = 0
        var doubts = 0
        var silent = 0
        var stale: [CoordinatorCounters.Stale: Int] = [:]

        mutating func add(_ tally: Simulation.Tally, _ seed: UInt64) {
            shares.append((tally.share, seed))
            seeds += 1
            events += tally.events
            seconds += tally.end / 1_000_000
            faults.merge(tally.faults, uniquingKeysWith: +)
            powerCuts += tally.powerCuts
            conflicts += tally.conflicts
            flips += tally.flips
            if tally.hasSlipped { slipped += 1 }
            doubts += tally.doubts
            silent += tally.silent
            for counters in tally.counters {
                lost += counters.lost
                repeated += counters.rangesRepeated
                equal += counters.equalAnswers
                local += counters.shardsComputedLocally
                audited += counters.audited
                outvoted += counters.outvoted
                restarted += counters.stepsRestarted
                stale.merge(counters.stale, uniquingKeysWith: +)
            }
        }

        var description: String {
            "\(seeds) seeds: \(events) events in \(seconds) simulated seconds, "
                + "\(faults.values.reduce(0, +)) faults in time, \(powerCuts) power cuts, \(flips) flipped bits, "
                + "\(lost) workers lost, \(repeated) ranges repeated, \(equal) equal second answers, "
                + "\(silent) ranges never answered, \(conflicts) differing ones, \(audited) answers audited, \(outvoted) workers outvoted, "
                + "\(doubts) sums not finite, \(restarted) steps begun anew, \(slipped) wrong answers that nobody was asked twice for; of the time to end in they took at most "
                + shares.sorted { $0.share > $1.share }.prefix(5).map { "\(Int($0.share * 100)) % (\($0.seed))" }
                .joined(separator: ", ")
        }
    }
}
