import Coordination
import Testing

@Suite struct AuditTests {
    private let whole = Subtree(first: 0, count: 1)!

    /// One shard, every range audited.
    private func rig(_ workers: [WorkerID]) -> CoordinatorRig {
        var rig = CoordinatorRig(shards: 1) { $0.auditShare = 1 }
        for worker in workers { _ = rig.join(worker) }
        return rig
    }

    /// What the coordinator has computed itself; `value` stands for its content.
    private func own(_ shards: Range<Int>, value: UInt64) throws -> StreamAssembly {
        var assembly = try StreamAssembly(total: 100, limit: 100)
        for message in CoordinatorRig.answer(shards, value: value) { _ = try assembly.accept(message.header) }
        return assembly
    }

    @Test func `an audited range is given to two workers, and folded when both have said the same`() {
        var rig = CoordinatorRig { $0.auditShare = 1 }
        _ = rig.join("a")
        _ = rig.join("b")
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 4)", "b [4, 8)", "b [0, 4)", "a [4, 8)"])
        #expect(rig.answer("a", 0..<4).folded.isEmpty)
        #expect(rig.answer("b", 4..<8).folded.isEmpty)
        #expect(rig.fold("b", 0..<4).folded == ["a [0, 4)"])
        let last = rig.fold("a", 4..<8)
        #expect(last.folded == ["b [4, 8)"] && last.contains(.stepReduced(0)))
        #expect(rig.machine.counters.audited == 2 && rig.machine.counters.conflicts == 0)
    }

    @Test func `of two answers that differ a third worker's decides, and the outvoted one is named, dropped and told`()
    {
        for isFirstRight in [true, false] {
            var rig = rig(["a", "b", "c"])
            #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 1)", "b [0, 1)"])
            _ = rig.answer("a", 0..<1, value: 1)
            let differing = rig.answer("b", 0..<1, value: 2)
            #expect(differing.assigned == ["c [0, 1)"])
            #expect(!differing.contains(.computeOwn(step: 0, subtree: whole)))
            let third = rig.answer("c", 0..<1, value: isFirstRight ? 1 : 2)
            #expect(third.folded == [isFirstRight ? "a [0, 1)" : "c [0, 1)"])
            let wrong: WorkerID = isFirstRight ? "b" : "a"
            #expect(third.contains(.outvoted(wrong, step: 0, subtree: whole)))
            #expect(third.refusals == [.outvoted])
            #expect(rig.tell(.folded(step: 0, subtree: whole)) == [.stepReduced(0)])
            #expect(rig.hello(wrong, session: 2).refusals == [.outvoted])
            #expect(rig.machine.counters.outvoted == 1 && rig.machine.roster.count == 2)
        }
    }

    @Test func `one that was dropped for a garbled frame is outvoted all the same when its answer is found wrong`() {
        var rig = rig(["a", "b", "c"])
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<1, value: 2)
        #expect(rig.tell(.undecodable(DecodeError(.checksum, wanted: 1, got: 2), from: "a")).drops == ["a"])
        _ = rig.answer("b", 0..<1)
        let third = rig.answer("c", 0..<1)
        #expect(third.contains(.outvoted("a", step: 0, subtree: whole)) && third.folded == ["c [0, 1)"])
        #expect(rig.hello("a", session: 2).refusals == [.outvoted])
        #expect(rig.machine.counters.dropped == 1 && rig.machine.load.banned == 1)
    }

    @Test func `where there is no third worker the coordinator decides`() throws {
        var rig = rig(["a", "b"])
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<1, value: 1)
        #expect(rig.answer("b", 0..<1, value: 2).contains(.computeOwn(step: 0, subtree: whole)))
        let settled = rig.tell(.computedOwn(step: 0, subtree: whole, try own(0..<1, value: 2)))
        #expect(settled.contains(.outvoted("a", step: 0, subtree: whole)))
        #expect(settled.contains(.discard(step: 0, subtree: whole, from: "a")))
        #expect(settled.contains(.foldOwn(step: 0, subtree: whole)))
        #expect(rig.tell(.folded(step: 0, subtree: whole)) == [.stepReduced(0)])
    }

    @Test func `with one worker the coordinator computes the second answer`() throws {
        for value: UInt64 in [1, 2] {
            var rig = rig(["a"])
            #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 1)"])
            let answered = rig.answer("a", 0..<1, value: 1)
            #expect(answered.folded.isEmpty && answered.contains(.computeOwn(step: 0, subtree: whole)))
            let settled = rig.tell(.computedOwn(step: 0, subtree: whole, try own(0..<1, value: value)))
            #expect(settled.contains(.foldOwn(step: 0, subtree: whole)))
            #expect(settled.contains(.outvoted("a", step: 0, subtree: whole)) == (value == 2))
        }
    }

    @Test func `of three different answers none is believed`() throws {
        var rig = rig(["a", "b", "c", "d"])
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<1, value: 1)
        _ = rig.answer("b", 0..<1, value: 2)
        #expect(rig.answer("c", 0..<1, value: 3).contains(.computeOwn(step: 0, subtree: whole)))
        let settled = rig.tell(.computedOwn(step: 0, subtree: whole, try own(0..<1, value: 4)))
        #expect(settled.contains(.foldOwn(step: 0, subtree: whole)))
        #expect(rig.machine.counters.outvoted == 3 && rig.machine.roster.map(\.label) == ["host/d"])
    }

    @Test func `a second computation that is lost is given to another`() {
        var rig = rig(["a", "b", "c"])
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<1)
        #expect(rig.tell(.workerExited("b")).assigned == ["c [0, 1)"])
        #expect(rig.answer("c", 0..<1).folded == ["a [0, 1)"])
    }

    @Test func `an answer that waits to be confirmed stays when its worker goes`() {
        var rig = rig(["a", "b"])
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<1)
        #expect(rig.tell(.workerExited("a")).assigned.isEmpty)
        #expect(rig.answer("b", 0..<1).folded == ["a [0, 1)"])
    }

    @Test func `a late answer that differs from a confirmed one is outvoted at once`() {
        var rig = CoordinatorRig(shards: 2) { $0.auditShare = 1 }
        for worker in ["a", "b"] as [WorkerID] { _ = rig.join(worker) }
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 1)", "b [1, 2)", "b [0, 1)", "a [1, 2)"])
        _ = rig.wait(1, hearing: ["a", "b"])
        _ = rig.answer("a", 0..<1)
        _ = rig.join("c")
        // b is late with everything: c takes its part.
        #expect(rig.wait(3, hearing: ["a", "b", "c"]).assigned.contains("c [0, 1)"))
        _ = rig.fold("c", 0..<1)
        let late = rig.answer("b", 0..<1, value: 9)
        #expect(late.contains(.outvoted("b", step: 0, subtree: whole)))
    }

    /// Two workers, a has answered its own half, b's half is late and computed by both; nothing is chosen for audit.
    private func disputed() -> CoordinatorRig {
        var rig = CoordinatorRig { $0.auditShare = 1e-15 }
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        _ = rig.wait(1, hearing: ["a", "b"])
        #expect(rig.answer("a", 0..<4).folded == ["a [0, 4)"])
        #expect(rig.wait(2, hearing: ["a", "b"]).assigned == ["a [4, 8)"])
        #expect(rig.answer("b", 4..<8, value: 3).folded == ["b [4, 8)"])
        let half = Subtree(first: 4, count: 4)!
        let second = rig.answer("a", 4..<8, value: 4)
        let conflict = AnswerConflict(step: 0, subtree: half, first: "b", second: "a")
        #expect(second == [.conflict(conflict), .computeOwn(step: 0, subtree: half)])
        for first in [0, 4] {
            let folded = rig.tell(.folded(step: 0, subtree: Subtree(first: first, count: 4)!))
            #expect(!folded.contains(.stepReduced(0)), "reduced while an answer is in question")
        }
        return rig
    }

    @Test func `a straggler's answer that differs is settled too, and the sum is begun anew without the wrong ones`()
        throws
    {
        let half = Subtree(first: 4, count: 4)!
        for (value, wrong, right) in [(4, "b", "a"), (3, "a", "b")] as [(UInt64, WorkerID, WorkerID)] {
            var rig = disputed()
            let settled = rig.tell(.computedOwn(step: 0, subtree: half, try own(4..<8, value: value)))
            #expect(settled.contains(.outvoted(wrong, step: 0, subtree: half)))
            // Either b's wrong half is in the tree, or another answer of a's that nobody has confirmed.
            #expect(settled.contains(.restartStep(0)))
            #expect(settled.assigned == ["\(right) [0, 8)"])
            #expect(rig.fold(right, 0..<8).contains(.stepReduced(0)))
        }
    }

    @Test func `a third answer decides for the one that is in the sum, and its bytes are let go of`() {
        var rig = disputed()
        #expect(rig.join("c").assigned == ["c [4, 8)"])
        let settled = rig.answer("c", 4..<8, value: 3)
        #expect(settled.contains(.outvoted("a", step: 0, subtree: Subtree(first: 4, count: 4)!)))
        #expect(settled.stored.count == 1 && settled.discarded == ["c [4, 8)"] && settled.folded == [])
    }

    @Test func `without audits the coordinator itself decides between answers that differ`() throws {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        _ = rig.answer("b", 4..<8, value: 3)
        // Somebody else who could be asked may be in league with one of them.
        _ = rig.join("c")
        let half = Subtree(first: 4, count: 4)!
        let conflict = AnswerConflict(step: 0, subtree: half, first: "b", second: "a")
        #expect(
            rig.answer("a", 4..<8, value: 4) == [.conflict(conflict), .computeOwn(step: 0, subtree: half)])
        #expect(!rig.tell(.folded(step: 0, subtree: half)).contains(.stepReduced(0)))
        let settled = rig.tell(.computedOwn(step: 0, subtree: half, try own(4..<8, value: 3)))
        // Another answer of a's is in the sum, and nobody has confirmed it.
        #expect(settled.contains(.outvoted("a", step: 0, subtree: half)) && settled.contains(.restartStep(0)))
        #expect(!settled.contains(.outvoted("b", step: 0, subtree: half)))
    }

    @Test func `without audits two who agree do not outvote a third before the coordinator has computed`() throws {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        var holders: Set<String> = []
        for newcomer in ["b", "c"] as [WorkerID] {
            holders.formUnion(rig.join(newcomer).assigned)
            for _ in 0..<8 { holders.formUnion(rig.wait(1, hearing: ["a", "b", "c"]).assigned) }
        }
        let whole = Subtree(first: 0, count: 8)!
        #expect(holders == ["b [0, 8)", "c [0, 8)"])
        _ = rig.answer("a", 0..<8, value: 1)
        #expect(rig.answer("b", 0..<8, value: 2).contains(.computeOwn(step: 0, subtree: whole)))
        let third = rig.answer("c", 0..<8, value: 2)
        #expect(!third.contains(.outvoted("a", step: 0, subtree: whole)))
        let settled = rig.tell(.computedOwn(step: 0, subtree: whole, try own(0..<8, value: 1)))
        for liar in ["b", "c"] as [WorkerID] { #expect(settled.contains(.outvoted(liar, step: 0, subtree: whole))) }
        #expect(!settled.contains(.outvoted("a", step: 0, subtree: whole)))
    }

    @Test func `an answer that differs and never ends is settled without waiting for its end`() throws {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        let half = Subtree(first: 4, count: 4)!
        _ = rig.tell(.received(CoordinatorRig.answer(4..<8, value: 8, total: 2 * frameBytes)[0], from: "b"))
        let whole = rig.answer("a", 4..<8, value: 9, total: 2 * frameBytes)
        #expect(whole.contains(.computeOwn(step: 0, subtree: half)))
        #expect(!rig.tell(.folded(step: 0, subtree: half)).contains(.stepReduced(0)))
        var right = try StreamAssembly(total: UInt64(2 * frameBytes), limit: UInt64(2 * frameBytes))
        for message in CoordinatorRig.answer(4..<8, value: 9, total: 2 * frameBytes) {
            _ = try right.accept(message.header)
        }
        let settled = rig.tell(.computedOwn(step: 0, subtree: half, right))
        #expect(settled.contains(.outvoted("b", step: 0, subtree: half)) && settled.contains(.stepReduced(0)))
    }

    @Test func `a difference that comes when the step is whole is told of, and changes nothing`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        #expect(rig.fold("b", 4..<8).contains(.stepReduced(0)))
        let half = Subtree(first: 4, count: 4)!
        let conflict = AnswerConflict(step: 0, subtree: half, first: "b", second: "a", isSettled: false)
        #expect(rig.answer("a", 4..<8, value: 77) == [.conflict(conflict)])
    }

    @Test func `the choice is a function of run, step and range, and has the share that is asked for`() {
        let choice = AuditChoice(share: 0.05, run: RunID(low: 1, high: 2))
        let other = AuditChoice(share: 0.05, run: RunID(low: 1, high: 3))
        var (chosen, differing) = (0, 0)
        for step: UInt64 in 0..<10_000 {
            for first in 0..<10 {
                let range = ShardRange(first: first, count: 1 + first % 3)
                if choice.includes(range, of: step) { chosen += 1 }
                if choice.includes(range, of: step) != other.includes(range, of: step) { differing += 1 }
            }
        }
        #expect((4800...5200).contains(chosen), "\(chosen) of 100,000")
        #expect(differing > 9000)
        #expect(AuditChoice(share: 1, run: .none).includes(ShardRange(0..<1), of: 0))
        #expect(!AuditChoice(share: 0, run: .none).includes(ShardRange(0..<1), of: 0))
    }

    /// Plans as of any simulation, with audits.
    private func trainings(_ count: Int, _ change: (inout FaultPlan, inout SeededGenerator) -> Void) -> Totals {
        var totals = Totals()
        for seed in testSeeds(count) {
            var generator = SeededGenerator(seed: seed)
            var plan = FaultPlan.random(using: &generator)
            plan.hasLiar = false
            plan.wrongWorkers = 0
            change(&plan, &generator)
            do {
                for counters in try Simulation.run(seed: seed, plan: plan).counters {
                    totals.outvoted += counters.outvoted
                    totals.audited += counters.audited
                    totals.restarted += counters.stepsRestarted
                }
            } catch { Issue.record("\(error)\n\(replay(seed))") }
        }
        return totals
    }

    private struct Totals {
        var outvoted = 0
        var audited = 0
        var restarted = 0
    }

    @Test func `whole trainings under faults with wrong workers, everything audited, end with the fault-free bytes`() {
        let totals = trainings(150) { plan, generator in
            plan.wrongWorkers = Int.random(in: 1...2, using: &generator)
            plan.auditShare = 1
        }
        guard testSeeds(2).count > 1 else { return }
        #expect(totals.outvoted > 50 && totals.audited > 500, "\(totals)")
    }

    @Test func `whole trainings under faults with some ranges audited outvote nobody who computes as it should`() {
        let totals = trainings(150) { plan, _ in plan.auditShare = 0.3 }
        guard testSeeds(2).count > 1 else { return }
        #expect(totals.audited > 200 && totals.outvoted == 0 && totals.restarted == 0, "\(totals)")
    }
}
