import Coordination
import Testing

@Suite struct NonFiniteTests {
    private let left = Subtree(first: 0, count: 4)!

    @Test
    func
        `an answer that is not finite is computed again by the coordinator, and its worker dropped when the run goes on`()
    {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        #expect(rig.answer("a", 0..<4).folded == ["a [0, 4)"])
        let again = rig.tell(.nonFinite(step: 0, subtree: left, part: "the loss"))
        #expect(again.local == [ShardRange(0..<4)])
        #expect(again.drops.isEmpty)
        #expect(!rig.fold("b", 4..<8).contains(.stepReduced(0)))
        #expect(rig.tell(.computedLocally(step: 0, range: ShardRange(0..<4))) == [.stepReduced(0)])
        let next = rig.tell(.beginStep(1))
        #expect(next.drops == ["a"])
        #expect(next.assigned == ["b [0, 8)"])
        #expect(rig.machine.counters.rejected == ["payload": 1])
    }

    @Test func `nobody's second answer comes between`() {
        var rig = CoordinatorRig { $0.stragglerMinimum = .milliseconds(500) }
        for worker in ["a", "b"] as [WorkerID] { _ = rig.join(worker) }
        for step in 0..<3 as Range<UInt64> {
            _ = rig.tell(.beginStep(step))
            _ = rig.fold("a", 0..<4, step: step)
            _ = rig.fold("b", 4..<8, step: step)
        }
        _ = rig.tell(.beginStep(3))
        _ = rig.fold("b", 4..<8, step: 3)
        // Late: the other one computes the same shards.
        _ = rig.wait(2, hearing: ["a", "b"])
        #expect(rig.machine.counters.rangesRepeated == 1)
        #expect(rig.answer("a", 0..<4, step: 3).folded == ["a [0, 4)"])
        #expect(rig.tell(.nonFinite(step: 3, subtree: left, part: "the loss")).local == [ShardRange(0..<4)])
        #expect(rig.answer("b", 0..<4, step: 3).isEmpty)
        #expect(rig.machine.counters.stale == [.unassigned: 1])
        #expect(rig.tell(.computedLocally(step: 3, range: ShardRange(0..<4))).contains(.stepReduced(3)))
    }

    @Test func `several are computed again one after another`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<4)
        let first = rig.tell(.nonFinite(step: 0, subtree: left, part: "the loss"))
        _ = rig.answer("b", 4..<8)
        let second = rig.tell(.nonFinite(step: 0, subtree: Subtree(first: 4, count: 4)!, part: "the loss"))
        #expect(first.local == [ShardRange(0..<4)] && second.local.isEmpty)
        let next = rig.tell(.computedLocally(step: 0, range: ShardRange(0..<4)))
        #expect(next.local == [ShardRange(4..<8)])
        #expect(rig.tell(.computedLocally(step: 0, range: ShardRange(4..<8))).contains(.stepReduced(0)))
        #expect(Set(rig.tell(.beginStep(1)).drops) == ["a", "b"])
    }

    /// A step of two workers' answers, whole, whose sum is not finite.
    private func overflown(_ change: (inout CoordinatorConfiguration) -> Void = { _ in }) -> CoordinatorRig {
        var rig = CoordinatorRig(change: change)
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        _ = rig.fold("a", 0..<4)
        #expect(rig.fold("b", 4..<8).contains(.stepReduced(0)))
        #expect(rig.machine.hasUncertainAnswers)
        return rig
    }

    @Test func `a sum that is not finite has the coordinator compute every answer, and who said otherwise is dropped`()
        throws
    {
        var rig = overflown()
        let right = Subtree(first: 4, count: 4)!
        #expect(rig.tell(.nonFiniteSum(step: 0)).own == [left])
        let next = rig.computeOwn(0..<4)
        #expect(next.own == [right] && !next.contains(.stepReduced(0)))
        let wrong = rig.tell(
            .computedOwn(step: 0, subtree: right, CoordinatorRig.assembly(4..<8, value: 7)))
        #expect(wrong.contains(.outvoted("b", step: 0, subtree: right)) && wrong.contains(.restartStep(0)))
        #expect(wrong.assigned == ["a [0, 8)"])
        #expect(rig.fold("a", 0..<8).contains(.stepReduced(0)))
        #expect(rig.machine.counters.stepsReduced == 1 && rig.machine.counters.outvoted == 1)
    }

    @Test func `where every answer was right the step is whole again, and nobody is asked a third time`() {
        var rig = overflown()
        _ = rig.tell(.nonFiniteSum(step: 0))
        _ = rig.computeOwn(0..<4)
        #expect(rig.computeOwn(4..<8).contains(.stepReduced(0)))
        #expect(!rig.machine.hasUncertainAnswers && rig.machine.roster.count == 2)
        #expect(rig.machine.counters.stepsReduced == 1 && rig.machine.counters.conflicts == 0)
        #expect(rig.tell(.nonFiniteSum(step: 0)).isEmpty)
    }

    @Test func `two who have confirmed each other are not believed when the sum is not finite`() {
        var rig = CoordinatorRig { $0.auditShare = 1 }
        for worker in ["a", "b"] as [WorkerID] { _ = rig.join(worker) }
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 4)", "b [4, 8)", "b [0, 4)", "a [4, 8)"])
        for worker in ["a", "b"] as [WorkerID] {
            for shards in [0..<4, 4..<8] { _ = rig.answer(worker, shards, value: 7) }
        }
        _ = rig.tell(.folded(step: 0, subtree: left))
        #expect(rig.tell(.folded(step: 0, subtree: Subtree(first: 4, count: 4)!)).contains(.stepReduced(0)))
        #expect(rig.machine.counters.audited == 2)
        #expect(rig.tell(.nonFiniteSum(step: 0)).own == [left])
        #expect(rig.join("c").assigned.isEmpty, "a third worker is not asked either")
        let settled = rig.computeOwn(0..<4)
        #expect(settled.contains(.outvoted("a", step: 0, subtree: left)) && !settled.contains(.restartStep(0)))
        #expect(settled.contains(.outvoted("b", step: 0, subtree: left)), "who has confirmed it is as wrong")
        let last = rig.computeOwn(4..<8)
        #expect(last.contains(.restartStep(0)))
        #expect(last.assigned == ["c [0, 8)"])
    }

    @Test func `what is to be computed here is given to nobody when the sum is begun anew`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        // a's half and b's half are in; a computes b's half too. c is asked for nothing yet.
        let right = Subtree(first: 4, count: 4)!
        _ = rig.join("c")
        _ = rig.answer("b", 4..<8, value: 3)
        #expect(rig.answer("a", 4..<8, value: 4).own == [right])
        _ = rig.tell(.nonFinite(step: 0, subtree: left, part: "the loss"))
        let settled = rig.tell(.computedOwn(step: 0, subtree: right, CoordinatorRig.assembly(4..<8, value: 3)))
        for assigned in settled.assigned { #expect(!assigned.hasSuffix("[0, 8)"), "\(settled)") }
    }
}
