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
}
