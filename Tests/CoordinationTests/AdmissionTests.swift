import Coordination
import Testing

@Suite struct AdmissionTests {
    private let own = PeerKey("own")
    private let other = PeerKey("other")

    private func rig() -> CoordinatorRig { CoordinatorRig { $0.requiresKeys = true } }

    private func hello(session: UInt64 = 1) -> Message {
        let hello = Hello(
            session: session, version: "1.0", fingerprint: CoordinatorRig.fingerprint, label: "host", threads: 1)
        return Message(.hello(hello), run: .none, incarnation: 0)
    }

    private func pull(session: UInt64 = 1) -> Message {
        Message(
            .pull(WorkerStatus(session: session, wanted: 2, isComputing: false, progress: 0)), run: CoordinatorRig.run,
            incarnation: 5)
    }

    @Test func `a socket without a name of its own is refused`() {
        var rig = CoordinatorRig()
        let refused = rig.tell(.received(hello(), from: WorkerID([0, 1, 2, 3, 4])))
        #expect(refused.refusals == [.malformed] && rig.machine.load.members == 0)
    }

    @Test func `a message without a key is not looked at where there are keys`() {
        var rig = rig()
        #expect(rig.tell(.received(hello(), from: "a")).isEmpty)
        #expect(rig.tell(.undecodable(DecodeError(.magic, wanted: 1, got: 2), from: "a")).isEmpty)
        #expect(rig.machine.counters.stale == [.notAdmitted: 2])
        #expect(rig.machine.load.members == 0)
    }

    @Test func `a worker speaks under its own key only, and a stranger under its name does it no harm`() {
        var rig = rig()
        _ = rig.tell(.beginStep(0))
        _ = rig.tell(.received(hello(), from: "a", key: own))
        #expect(rig.tell(.received(pull(), from: "a", key: own)).assigned == ["a [0, 8)"])
        #expect(rig.tell(.received(hello(session: 2), from: "a", key: other)).isEmpty)
        #expect(rig.tell(.undecodable(DecodeError(.magic, wanted: 1, got: 2), from: "a", key: other)).isEmpty)
        let goodbye = Message(.goodbye(reason: ""), run: CoordinatorRig.run, incarnation: 5)
        #expect(rig.tell(.received(goodbye, from: "a", key: other)).isEmpty)
        for frame in CoordinatorRig.answer(0..<8, value: 666) {
            #expect(rig.tell(.received(frame, from: "a", key: other)).isEmpty)
        }
        #expect(rig.machine.counters.stale == [.otherKey: 4])
        let answers = CoordinatorRig.answer(0..<8)
        #expect(answers.flatMap { rig.tell(.received($0, from: "a", key: own)) }.folded == ["a [0, 8)"])
    }

    @Test func `two workers may share a key, and lose it together`() {
        var rig = rig()
        _ = rig.tell(.beginStep(0))
        for worker in ["a", "b", "c"] as [WorkerID] {
            _ = rig.tell(.received(hello(), from: worker, key: worker == "c" ? other : own))
            _ = rig.tell(.received(pull(), from: worker, key: worker == "c" ? other : own))
        }
        let revoked = rig.tell(.revoked(own))
        #expect(revoked.drops == ["a", "b"])
        #expect(revoked.refusals == [.key, .key])
        // What they held is the third's now.
        #expect(revoked.assigned == ["c [0, 8)"])
        #expect(rig.tell(.received(hello(session: 2), from: "a", key: own)).isEmpty)
        #expect(rig.tell(.received(hello(), from: "d", key: own)).isEmpty)
        #expect(rig.machine.counters.stale == [.notAdmitted: 2])
        #expect(rig.machine.counters.dropped == 2)
    }
}
