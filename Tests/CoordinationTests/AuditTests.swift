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

    @Test
    func `of two answers that differ the coordinator's own decides, and the outvoted one is named, dropped and told`()
        throws
    {
        for isFirstRight in [true, false] {
            var rig = rig(["a", "b", "c"])
            #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 1)", "b [0, 1)"])
            _ = rig.answer("a", 0..<1, value: 1)
            let differing = rig.answer("b", 0..<1, value: 2)
            #expect(differing.contains(.computeOwn(step: 0, subtree: whole)) && differing.assigned.isEmpty)
            let settled = rig.tell(
                .computedOwn(step: 0, subtree: whole, try own(0..<1, value: isFirstRight ? 1 : 2)))
            #expect(settled.foldedOwn == [whole])
            let wrong: WorkerID = isFirstRight ? "b" : "a"
            #expect(settled.contains(.outvoted(wrong, step: 0, subtree: whole)))
            #expect(settled.refusals == [.outvoted])
            #expect(rig.tell(.folded(step: 0, subtree: whole)) == [.stepReduced(0)])
            #expect(rig.hello(wrong, session: 2).refusals == [.outvoted])
            #expect(rig.machine.counters.outvoted == 1 && rig.machine.roster.count == 2)
        }
    }

    @Test func `workers in league outvote nobody, however many they are`() throws {
        var rig = rig(["a", "b", "c", "d"])
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<1, value: 1)
        #expect(rig.answer("b", 0..<1, value: 2).contains(.computeOwn(step: 0, subtree: whole)))
        for liar in ["c", "d"] as [WorkerID] { #expect(rig.answer(liar, 0..<1, value: 2).folded.isEmpty) }
        let settled = rig.tell(.computedOwn(step: 0, subtree: whole, try own(0..<1, value: 1)))
        #expect(settled.contains(.outvoted("b", step: 0, subtree: whole)))
        #expect(!settled.contains(.outvoted("a", step: 0, subtree: whole)))
    }

    @Test(arguments: [false, true])
    func `where workers have several keys, two of the same do not confirm each other`(othersLeave: Bool) throws {
        var rig = CoordinatorRig(shards: 1) { ($0.auditShare, $0.requiresKeys) = (1, true) }
        let keys: [WorkerID: PeerKey] = ["a": PeerKey("one"), "b": PeerKey("one"), "c": PeerKey("other")]
        func say(_ body: Message.Body, from worker: WorkerID, run: RunID = CoordinatorRig.run) -> [CoordinatorDirective]
        {
            let message = Message(body, run: run, incarnation: run == .none ? 0 : 5)
            return rig.tell(.received(message, from: worker, key: keys[worker]))
        }
        for worker in ["a", "b", "c"] as [WorkerID] {
            let hello = Hello(
                session: 1, version: "1.0", fingerprint: CoordinatorRig.fingerprint, label: "\(worker)", threads: 1)
            _ = say(.hello(hello), from: worker, run: .none)
            _ = say(.pull(WorkerStatus(session: 1, wanted: 2, isComputing: false, progress: 0)), from: worker)
        }
        func answers(_ worker: WorkerID) -> [CoordinatorDirective] {
            CoordinatorRig.answer(0..<1, value: 3).flatMap {
                rig.tell(.received($0, from: worker, key: keys[worker]))
            }
        }
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 1)", "b [0, 1)"])
        if othersLeave { _ = say(.goodbye(reason: ""), from: "c") }
        #expect(answers("a").folded.isEmpty)
        let second = answers("b")
        #expect(second.folded.isEmpty)
        if othersLeave {
            #expect(second.own == [whole])
            let own = CoordinatorRig.assembly(0..<1, value: 1)
            let settled = rig.tell(.computedOwn(step: 0, subtree: whole, own))
            #expect(settled.foldedOwn == [whole] && settled.contains(.outvoted("a", step: 0, subtree: whole)))
        } else {
            #expect(second.assigned == ["c [0, 1)"])
            #expect(answers("c").folded == ["a [0, 1)"])
        }
    }

    @Test func `one that was dropped for a garbled frame is outvoted all the same when its answer is found wrong`() {
        var rig = rig(["a", "b", "c"])
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<1, value: 2)
        #expect(rig.tell(.undecodable(DecodeError(.checksum, wanted: 1, got: 2), from: "a")).drops == ["a"])
        _ = rig.answer("b", 0..<1)
        let third = rig.tell(.computedOwn(step: 0, subtree: whole, CoordinatorRig.assembly(0..<1)))
        #expect(third.contains(.outvoted("a", step: 0, subtree: whole)) && third.foldedOwn == [whole])
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

    @Test(arguments: [1, 9] as [UInt64])
    func `a late answer that differs from what two agree on is settled by the coordinator's own`(right: UInt64) throws {
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
        #expect(late.own == [whole] && rig.machine.counters.outvoted == 0)
        let own = CoordinatorRig.assembly(0..<1, value: right)
        let settled = rig.tell(.computedOwn(step: 0, subtree: whole, own))
        let wrong: [WorkerID] = right == 9 ? ["a", "c"] : ["b"]
        for worker in ["a", "b", "c"] as [WorkerID] {
            #expect(settled.contains(.outvoted(worker, step: 0, subtree: whole)) == wrong.contains(worker))
        }
        #expect(settled.contains(.restartStep(0)) == (right == 9))
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

    @Test func `a step that wrong answers have had begun anew three times is computed here, whoever comes`() throws {
        var rig = CoordinatorRig { $0.lateWithoutMedian = .seconds(1) }
        let names = ["a", "b", "c", "d"] as [WorkerID]
        _ = rig.join(names[0])
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 8)"])
        let whole = Subtree(first: 0, count: 8)!
        for round in 0..<3 {
            let (first, second) = (names[round], WorkerID([UInt8(65 + round)]))
            _ = rig.join(second)
            // Late is what takes twice as long as ranges do.
            var repeated: [String] = []
            for _ in 0..<12 where repeated.isEmpty { repeated = rig.wait(1, hearing: [first, second]).assigned }
            #expect(repeated == ["\(second) [0, 8)"])
            _ = rig.answer(first, 0..<8, value: 5)
            #expect(rig.answer(second, 0..<8, value: 6).own == [whole])
            _ = rig.join(names[round + 1])
            let settled = rig.tell(.computedOwn(step: 0, subtree: whole, try own(0..<8, value: 1)))
            #expect(settled.contains(.restartStep(0)) && settled.contains(.distrusted(step: 0)) == (round == 2))
            #expect(settled.assigned == (round == 2 ? [] : ["\(names[round + 1]) [0, 8)"]))
        }
        #expect(rig.join("z").assigned.isEmpty)
        var local: [ShardRange] = [ShardRange(0..<2)]
        while let range = local.last, range.end < 8 {
            let next = rig.tell(.computedLocally(step: 0, range: range)).local
            #expect(next.count == 1)
            local += next
        }
        #expect(rig.tell(.computedLocally(step: 0, range: ShardRange(6..<8))).contains(.stepReduced(0)))
        #expect(rig.tell(.beginStep(1)).assigned == ["d [0, 4)", "z [4, 8)"])
    }

    @Test func `what the coordinator has computed decides also when a wrong answer has just made the step whole`()
        throws
    {
        var rig = CoordinatorRig(shards: 1)
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        var own: [Subtree] = []
        for _ in 0..<40 where own.isEmpty { own = rig.wait(1, hearing: ["a"]).own }
        #expect(own == [whole])
        _ = rig.answer("a", 0..<1, value: 9)
        #expect(rig.tell(.folded(step: 0, subtree: whole)).contains(.stepReduced(0)))
        let settled = rig.tell(.computedOwn(step: 0, subtree: whole, try self.own(0..<1, value: 1)))
        #expect(settled.contains(.outvoted("a", step: 0, subtree: whole)) && settled.contains(.restartStep(0)))
        #expect(settled.local == [ShardRange(0..<1)])
        #expect(rig.tell(.computedLocally(step: 0, range: ShardRange(0..<1))).contains(.stepReduced(0)))
        #expect(rig.machine.counters.stepsReduced == 1)
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
