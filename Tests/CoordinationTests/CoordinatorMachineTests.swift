import Coordination
import Testing

@Suite struct CoordinatorMachineTests {
    // MARK: A step without trouble

    @Test func `a worker is welcomed, and its pull brings parameters and all shards`() {
        var rig = CoordinatorRig()
        _ = rig.tell(.beginStep(0))
        let welcome = rig.hello("a")
        #expect(welcome.sent.map(\.kind) == [.welcome])
        #expect(welcome.assigned.isEmpty)
        let work = rig.pull("a")
        #expect(work.published == ["a"])
        #expect(work.assigned == ["a [0, 8)"])
    }

    @Test func `a step is split nearly equally over the workers that wait for it`() {
        var rig = CoordinatorRig(shards: 16)
        for worker in ["a", "b", "c"] as [WorkerID] { _ = rig.join(worker) }
        let work = rig.tell(.beginStep(0))
        #expect(work.assigned == ["a [0, 6)", "b [6, 11)", "c [11, 16)"])
        #expect(work.published == ["a", "b", "c"])
    }

    @Test func `a step is reduced when every shard is in the tree, and not before`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        #expect(rig.answer("b", 4..<8).folded == ["b [4, 8)"])
        #expect(!rig.fold("a", 0..<4).contains(.stepReduced(0)))
        let last = rig.tell(.folded(step: 0, subtree: Subtree(first: 4, count: 4)!))
        #expect(last == [.stepReduced(0)])
    }

    @Test func `an answer's frames are stored where they belong, in any order, and folded when whole`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        let frames = CoordinatorRig.answer(0..<8, total: frameBytes + 9)
        let second = rig.tell(.received(frames[1], from: "a"))
        #expect(second.stored.map(\.offset) == [frameBytes] && second.stored.map(\.length) == [9])
        #expect(second.stored.map(\.total) == [frameBytes + 9])
        #expect(second.folded.isEmpty)
        let first = rig.tell(.received(frames[0], from: "a"))
        #expect(first.stored.map(\.offset) == [0])
        #expect(first.folded == ["a [0, 8)"])
    }

    @Test func `a worker that answered is given the next step before it has pulled again`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        _ = rig.fold("a", 0..<8)
        #expect(rig.tell(.beginStep(1)).assigned == ["a [0, 8)"])
    }

    @Test func `parameters of a step go to a worker once`() {
        var rig = CoordinatorRig(shards: 4)
        _ = rig.join("a")
        _ = rig.join("b")
        #expect(rig.tell(.beginStep(0)).published == ["a", "b"])
        _ = rig.fold("a", 0..<2)
        let given = rig.tell(.workerExited("b"))
        #expect(given.assigned == ["a [2, 4)"])
        #expect(given.published.isEmpty)
        _ = rig.fold("a", 2..<4)
        #expect(rig.tell(.beginStep(1)).published == ["a"])
    }

    // MARK: Late, twice, stale

    @Test func `a late answer is dropped and counted`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        _ = rig.tell(.beginStep(1))
        #expect(rig.answer("a", 0..<8, step: 0).isEmpty)
        #expect(rig.machine.counters.stale == [.step: 1])
    }

    @Test func `an answer for a step to come is dropped and counted`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(1))
        #expect(rig.answer("a", 0..<8, step: 1 << 63).isEmpty)
        #expect(rig.machine.counters.stale == [.step: 1])
    }

    @Test func `an answer of an older incarnation is dropped and counted, and so is one of another run`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        for message in CoordinatorRig.answer(0..<8, incarnation: 4)
            + CoordinatorRig.answer(0..<8, run: RunID(low: 1, high: 1))
        {
            #expect(rig.tell(.received(message, from: "a")).isEmpty)
        }
        #expect(rig.machine.counters.stale == [.incarnation: 1, .run: 1])
        #expect(rig.answer("a", 0..<8).folded == ["a [0, 8)"])
    }

    @Test(arguments: [4..<8, 0..<2, 0..<8])
    func `an answer for shards that are not the worker's, or not one piece of its range, is dropped and counted`(
        shards: Range<Int>
    ) {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        #expect(rig.answer("a", shards).isEmpty)
        #expect(rig.machine.counters.stale == [.unassigned: 1])
    }

    @Test(arguments: [1, 99, 100, 102])
    func `an answer that ends within a number is not stored, and its sender is dropped`(total: Int) {
        var rig = CoordinatorRig(change: { $0.answerUnit = 4 })
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        let directives = rig.answer("a", 0..<8, total: total)
        #expect(directives.stored.isEmpty == (total != 100))
        #expect(directives.folded == (total == 100 ? ["a [0, 8)"] : []))
        #expect(rig.machine.roster.isEmpty == (total != 100))
    }

    @Test func `an answer that begins before another of its worker has ended takes its place`() {
        var rig = CoordinatorRig()
        for worker in ["a", "b", "c"] as [WorkerID] { _ = rig.join(worker) }
        _ = rig.tell(.beginStep(0))
        // Shards 0 to 2 are two subtrees.
        let first = CoordinatorRig.answer(0..<2, total: 2 * frameBytes)
        let second = CoordinatorRig.answer(2..<3, total: 2 * frameBytes)
        #expect(rig.tell(.received(first[0], from: "a")).stored.count == 1)
        let displaced = rig.tell(.received(second[0], from: "a"))
        #expect(displaced.first == .discard(step: 0, subtree: Subtree(first: 0, count: 2)!, from: "a"))
        #expect(displaced.stored.count == 1 && rig.machine.load.partialAnswers == 1)
        #expect(rig.machine.counters.stale == [.displaced: 1])
        #expect(rig.tell(.received(second[1], from: "a")).folded.count == 1)
        // The rest of the first one is not the whole of it.
        #expect(rig.tell(.received(first[1], from: "a")).folded.isEmpty)
        _ = rig.answer("b", 3..<4) + rig.answer("b", 4..<6) + rig.answer("c", 6..<8)
        _ = rig.pull("b", finished: ShardRange(3..<6)) + rig.pull("c", finished: ShardRange(6..<8))
        let after = rig.pull("a", finished: ShardRange(0..<3))
        #expect(after.assigned.joined(separator: ", ").contains("0"), "\(after.assigned)")
        #expect(rig.machine.load.partialAnswers == 0)
    }

    @Test func `a repeated frame is stored once`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        let frames = CoordinatorRig.answer(0..<8, total: 2 * frameBytes)
        #expect(rig.tell(.received(frames[0], from: "a")).stored.count == 1)
        #expect(rig.tell(.received(frames[0], from: "a")).isEmpty)
        #expect(rig.machine.counters.stale == [.repeatedFrame: 1])
    }

    @Test func `an idle worker repeats a range that is later than twice the median`() {
        var rig = CoordinatorRig.straggling()
        #expect(rig.wait(1, hearing: ["a", "b"]).assigned.isEmpty)
        let late = rig.wait(1, hearing: ["a", "b"])
        #expect(late.assigned == ["a [4, 8)"])
        #expect(late.contains(.repeated(ShardRange(4..<8), step: 0, of: "b", by: "a")))
        #expect(rig.wait(2, hearing: ["a", "b"]).assigned.isEmpty)
    }

    @Test
    func `a step waits for a newcomer's first range only as long as ranges take, and longer once it has finished one`()
    {
        var rig = CoordinatorRig()
        func wait(_ milliseconds: Int) -> [String] { rig.tell(.tick, after: .milliseconds(milliseconds)).assigned }
        /// Everybody's shards but c's are done 100 ms after the step has begun.
        func othersFold(step: UInt64) {
            #expect(rig.tell(.beginStep(step)).assigned == ["a [0, 3)", "b [3, 6)", "c [6, 8)"])
            #expect(wait(100).isEmpty)
            for (worker, shards) in [("a", 0..<2), ("a", 2..<3), ("b", 3..<4), ("b", 4..<6)] as [(WorkerID, Range<Int>)]
            {
                _ = rig.fold(worker, shards, step: step)
            }
        }
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        #expect(wait(100).isEmpty)
        _ = rig.fold("a", 0..<4)
        _ = rig.fold("b", 4..<8)

        _ = rig.join("c")
        othersFold(step: 1)
        #expect(rig.machine.awaitsUnproven)
        #expect(wait(90).isEmpty)
        #expect(wait(20) == ["a [6, 8)"])
        _ = rig.fold("a", 6..<8, step: 1)
        #expect(rig.tell(.beginStep(2)).assigned == ["a [0, 4)", "b [4, 8)"])
        #expect(!rig.machine.awaitsUnproven)
        _ = rig.fold("a", 0..<4, step: 2)
        _ = rig.fold("b", 4..<8, step: 2)
        // It may have done what it was given; it was too late.
        _ = rig.pull("c", finished: ShardRange(6..<8), step: 1)
        othersFold(step: 3)
        #expect(rig.machine.awaitsUnproven)
        _ = rig.fold("c", 6..<8, step: 3)
        othersFold(step: 4)
        #expect(!rig.machine.awaitsUnproven)
        #expect(wait(390).isEmpty)
        #expect(wait(20) == ["a [6, 8)"])
    }

    @Test func `a worker whose assignment was lost on the way is idle again when its step is over`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        #expect(rig.fold("a", 4..<8).contains(.stepReduced(0)))
        // b's part of step 0 never got there: it computes nothing, and has nothing to finish.
        #expect(rig.tell(.beginStep(1)).assigned == ["a [0, 8)"])
        #expect(rig.ping("b", isComputing: true).assigned.isEmpty)
        _ = rig.ping("b")
        #expect(rig.wait(3, hearing: ["a", "b"]).assigned == ["b [0, 8)"])
    }

    @Test func `of a straggler's range only what is not answered is repeated`() {
        var rig = CoordinatorRig()
        for worker in ["a", "b", "c"] as [WorkerID] { _ = rig.join(worker) }
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 3)", "b [3, 6)", "c [6, 8)"])
        _ = rig.wait(1, hearing: ["a", "b", "c"])
        _ = rig.fold("a", 0..<2)
        _ = rig.fold("c", 6..<8)
        _ = rig.fold("b", 3..<4)
        #expect(rig.wait(3, hearing: ["a", "b", "c"]).assigned == ["c [2, 3)"])
        #expect(rig.fold("c", 2..<3).assigned == ["c [4, 6)"])
    }

    @Test func `a second answer that is equal to the byte changes nothing`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        #expect(rig.answer("b", 4..<8, value: 3).folded == ["b [4, 8)"])
        #expect(rig.answer("a", 4..<8, value: 3).isEmpty)
        #expect(rig.machine.counters.equalAnswers == 1)
        #expect(rig.machine.counters.conflicts == 0)
    }

    @Test func `a second answer that differs is reported once with both names, and computed once more`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        _ = rig.answer("b", 4..<8, value: 3, total: 2 * frameBytes)
        let second = rig.answer("a", 4..<8, value: 4, total: 2 * frameBytes)
        let half = Subtree(first: 4, count: 4)!
        let conflict = AnswerConflict(step: 0, subtree: half, first: "b", second: "a")
        #expect(second == [.conflict(conflict), .computeOwn(step: 0, subtree: half)])
        #expect(rig.machine.counters.equalAnswers == 0)
    }

    @Test func `a second answer of another length differs`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        _ = rig.answer("b", 4..<8, value: 3, total: 100)
        #expect(rig.answer("a", 4..<8, value: 3, total: 99).conflicts.count == 1)
        #expect(rig.machine.counters.conflicts == 1)
    }

    @Test func `frames that were stored before another's answer was whole are given up, and compared`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        let half = CoordinatorRig.answer(4..<8, value: 8, total: 2 * frameBytes)
        #expect(rig.tell(.received(half[0], from: "b")).stored.count == 1)
        let whole = rig.answer("a", 4..<8, value: 9, total: 2 * frameBytes)
        let subtree = Subtree(first: 4, count: 4)!
        #expect(whole.contains(.discard(step: 0, subtree: subtree, from: "b")))
        #expect(whole.conflicts == [AnswerConflict(step: 0, subtree: subtree, first: "a", second: "b")])
        #expect(rig.tell(.received(half[1], from: "b")).isEmpty)
    }

    @Test func `a straggler busy with a step that is over gets no share of the next one`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        #expect(rig.fold("a", 4..<8).contains(.stepReduced(0)))
        #expect(rig.tell(.beginStep(1)).assigned == ["a [0, 8)"])
        #expect(rig.pull("b", finished: ShardRange(4..<8), step: 0).assigned.isEmpty)
        _ = rig.fold("a", 0..<8, step: 1)
        #expect(rig.tell(.beginStep(2)).assigned == ["a [0, 4)", "b [4, 8)"])
    }

    // MARK: Loss

    @Test func `a lost worker's shards go to the others at once, but for what it answered`() {
        var rig = CoordinatorRig(shards: 16)
        for worker in ["a", "b", "c"] as [WorkerID] { _ = rig.join(worker) }
        _ = rig.tell(.beginStep(0))
        _ = rig.fold("a", 0..<4)
        let half = CoordinatorRig.answer(4..<6, total: 2 * frameBytes)
        _ = rig.tell(.received(half[1], from: "a"))
        let lost = rig.tell(.workerExited("a"))
        #expect(lost.contains(.discard(step: 0, subtree: Subtree(first: 4, count: 2)!, from: "a")))
        #expect(lost.contains(.lost("a", .exited)))
        #expect(lost.assigned == ["b [4, 5)", "c [5, 6)"])
    }

    @Test func `a worker is suspected after three seconds of silence and lost after five`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        #expect(!rig.wait(2, hearing: ["b"]).contains(.suspected("a", silentFor: .seconds(2))))
        #expect(rig.wait(1, hearing: ["b"]).contains(.suspected("a", silentFor: .seconds(3))))
        #expect(rig.wait(1, hearing: ["b"]).losses.isEmpty)
        let lost = rig.wait(1, hearing: ["b"])
        #expect(lost.losses == [.silent(.seconds(5))])
        #expect(lost.assigned == ["b [0, 4)"])
    }

    @Test func `time in which the coordinator itself was stopped counts against nobody`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        rig.now += .seconds(30)
        _ = rig.tell(.suspended(for: .seconds(30)))
        #expect(rig.tell(.tick).isEmpty)
        #expect(rig.tell(.tick, after: .seconds(5)).losses == [.silent(.seconds(5))])
    }

    @Test func `a failed send and a goodbye are losses`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        #expect(rig.tell(.sendFailed(to: "a")).losses == [.unreachable])
        #expect(rig.tell(.sendFailed(to: "a")).isEmpty)
        #expect(rig.say(.goodbye(reason: "signal 15"), from: "b").losses == [.left("signal 15")])
        #expect(rig.machine.roster.isEmpty)
    }

    @Test func `a range that a worker let go without an answer goes to another`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        _ = rig.fold("b", 4..<8)
        #expect(rig.pull("a", finished: ShardRange(0..<4), step: 0).assigned == ["b [0, 2)", "a [2, 4)"])
    }

    @Test func `who says that it is done and has answered nothing has to wait, and others come first`() {
        var rig = CoordinatorRig(shards: 1)
        func wait(_ milliseconds: Int) -> [String] { rig.tell(.tick, after: .milliseconds(milliseconds)).assigned }
        let whole = ShardRange(0..<1)
        _ = rig.join("a")
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 1)"])
        // Once the answer may have been lost.
        #expect(rig.pull("a", finished: whole).assigned == ["a [0, 1)"])
        #expect(rig.pull("a", finished: whole).assigned.isEmpty)
        #expect(wait(99).isEmpty)
        #expect(wait(1) == ["a [0, 1)"])
        #expect(rig.pull("a", finished: whole).assigned.isEmpty)
        #expect(wait(199).isEmpty)
        #expect(rig.join("b").assigned == ["b [0, 1)"])
        #expect(wait(500).isEmpty)
        _ = rig.fold("b", 0..<1)
        #expect(rig.tell(.beginStep(1)).assigned == ["b [0, 1)"])
        // One answer does not make up for three that did not come.
        _ = rig.wait(2, hearing: ["a", "b"])
        _ = rig.fold("a", 0..<1, step: 1)
        _ = rig.pull("b", finished: whole, step: 1)
        #expect(rig.tell(.beginStep(2)).assigned == ["b [0, 1)"])
    }

    @Test func `no worker waits for longer than a second after a range that it has not answered`() {
        var rig = CoordinatorRig(shards: 1)
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        for _ in 0..<12 {
            if rig.pull("a", finished: ShardRange(0..<1)).assigned.isEmpty {
                _ = rig.ping("a")
                #expect(rig.tell(.tick, after: .seconds(1)).assigned == ["a [0, 1)"])
            }
        }
    }

    @Test func `workers that answer just before they are late do not make what counts as late longer and longer`() {
        var rig = CoordinatorRig()
        let all: [WorkerID] = ["a", "b", "c", "d"]
        for worker in all { _ = rig.join(worker) }
        func begin(_ step: UInt64) {
            #expect(rig.tell(.beginStep(step)).assigned == ["a [0, 2)", "b [2, 4)", "c [4, 6)", "d [6, 8)"])
            #expect(rig.wait(1, hearing: all).assigned.isEmpty)
            _ = rig.fold("a", 0..<2, step: step)
        }
        let slow = [1] + Array(repeating: 2, count: 3) + Array(repeating: 3, count: 8)
        for (step, seconds) in slow.enumerated() {
            begin(UInt64(step))
            #expect(rig.wait(seconds - 1, hearing: all).assigned.isEmpty)
            for (index, worker) in all.enumerated().dropFirst() {
                let first = 2 * index
                _ = rig.fold(worker, first..<(first + 2), step: UInt64(step))
            }
        }
        // Most ranges take 3 s by now. The fastest worker takes 1 s for one: after 4 s it computes the others'.
        begin(UInt64(slow.count))
        #expect(rig.wait(3, hearing: all).assigned.isEmpty)
        #expect(rig.wait(1, hearing: all).assigned == ["a [2, 4)"])
    }

    @Test func `a worker so slow that steps end sooner without it is passed over, and tried again every ten seconds`() {
        var rig = CoordinatorRig {
            $0.suspectAfter = .seconds(60); $0.lostAfter = .seconds(120)
        }
        for worker in ["a", "b", "c"] as [WorkerID] { _ = rig.join(worker) }
        /// Steps in which a and b take 10 ms for a shard, and c 150 ms.
        func assigned(_ step: UInt64) -> [String] {
            let assigned = rig.tell(.beginStep(step)).assigned
            rig.now += .milliseconds(30)
            if assigned.count == 3 {
                for (worker, shards) in [("a", 0..<2), ("a", 2..<3), ("b", 3..<4), ("b", 4..<6)]
                    as [(WorkerID, Range<Int>)]
                {
                    _ = rig.fold(worker, shards, step: step)
                }
                rig.now += .milliseconds(270)
                _ = rig.fold("c", 6..<8, step: step)
            } else {
                rig.now += .milliseconds(10)
                _ = rig.fold("a", 0..<4, step: step)
                _ = rig.fold("b", 4..<8, step: step)
            }
            return assigned
        }
        let all = ["a [0, 3)", "b [3, 6)", "c [6, 8)"]
        #expect(assigned(0) == all)
        #expect(assigned(1) == all)
        for step in 2..<10 as Range<UInt64> { #expect(assigned(step) == ["a [0, 4)", "b [4, 8)"]) }
        rig.now += .seconds(10)
        #expect(assigned(10) == all)
        #expect(assigned(11) == ["a [0, 4)", "b [4, 8)"])
        // Where nobody else is left it does all.
        _ = rig.say(.goodbye(reason: ""), from: "a")
        _ = rig.say(.goodbye(reason: ""), from: "b")
        #expect(rig.tell(.beginStep(12)).assigned == ["c [0, 8)"])
    }

    @Test func `who lets go of ranges that it has not answered in time is passed over, and tried again`() {
        var rig = CoordinatorRig()
        for worker in ["a", "b"] as [WorkerID] { _ = rig.join(worker) }
        let halves: [Range<Int>] = [0..<4, 4..<8]
        var step: UInt64 = 0
        /// A step with two ranges, of which a answers its own in time or lets go of it in the step behind.
        func share(_ expected: [String], inTime: Bool) {
            #expect(rig.tell(.beginStep(step)).assigned == expected)
            let own = expected[0].hasPrefix("a") ? 0 : 1
            rig.now += .milliseconds(300)
            _ = rig.fold("b", halves[1 - own], step: step)
            if inTime {
                _ = rig.fold("a", halves[own], step: step)
            } else {
                #expect(rig.tell(.tick, after: .milliseconds(310)).assigned == ["b [\(4 * own), \(4 * own + 4))"])
                _ = rig.fold("b", halves[own], step: step)
                _ = rig.tell(.beginStep(step + 1))
                _ = rig.pull("a", finished: ShardRange(halves[own]), step: step)
                step += 1
                rig.now += .milliseconds(300)
                _ = rig.fold("b", 0..<8, step: step)
            }
            step += 1
        }
        func alone() {
            #expect(rig.tell(.beginStep(step)).assigned == ["b [0, 8)"])
            rig.now += .milliseconds(600)
            _ = rig.fold("b", 0..<8, step: step)
            step += 1
        }
        let (first, last) = (["a [0, 4)", "b [4, 8)"], ["b [0, 4)", "a [4, 8)"])
        share(first, inTime: true)
        share(first, inTime: false)
        // One may have been lost.
        share(last, inTime: false)
        share(last, inTime: false)
        alone()
        alone()
        rig.now += .seconds(10)
        _ = rig.ping("a")
        _ = rig.ping("b")
        share(last, inTime: true)
        share(last, inTime: true)
    }

    @Test func `a worker that holds work while nothing moves has to say hello again`() {
        var rig = CoordinatorRig { $0.stallAfter = .seconds(10) }
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        for _ in 0..<9 {
            rig.now += .seconds(1)
            #expect(rig.ping("a").sent == [.pong])
            #expect(rig.tell(.tick).isEmpty)
        }
        rig.now += .seconds(1)
        _ = rig.ping("a")
        let stalled = rig.tell(.tick)
        #expect(stalled.losses == [.stalled])
        #expect(stalled.sent == [.register])
    }

    @Test func `a worker that computes or receives is not stalled`() {
        var rig = CoordinatorRig { $0.stallAfter = .seconds(10) }
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        for second in 0..<60 {
            rig.now += .seconds(1)
            _ = rig.ping("a", isComputing: true)
            _ = rig.ping("b", progress: UInt64(second))
            #expect(rig.tell(.tick).losses.isEmpty)
        }
    }

    // MARK: Joining

    @Test func `a worker that joins in the middle of a step gets what is pending, else a share of the next`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        #expect(rig.join("b").assigned.isEmpty)
        _ = rig.fold("a", 0..<8)
        #expect(rig.tell(.beginStep(1)).assigned == ["a [0, 4)", "b [4, 8)"])
        _ = rig.say(.goodbye(reason: "test"), from: "a")
        _ = rig.say(.goodbye(reason: "test"), from: "b")
        #expect(rig.machine.roster.isEmpty)
    }

    @Test func `a worker that says hello again starts afresh, parameters and all`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        let again = rig.hello("a", session: 2)
        #expect(again.losses == [.restarted])
        #expect(again.sent.map(\.kind) == [.welcome])
        let work = rig.pull("a", session: 2)
        #expect(work.published == ["a"] && work.assigned == ["a [0, 8)"])
    }

    @Test func `a repeated hello and a pull from before the last hello change nothing`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.hello("a", session: 2)
        #expect(rig.hello("a", session: 2).isEmpty)
        _ = rig.tell(.beginStep(0))
        #expect(rig.pull("a", session: 1).isEmpty)
        #expect(rig.machine.counters.stale == [.session: 2])
    }

    @Test func `a sender that nobody knows is asked to register, once for each answer`() {
        var rig = CoordinatorRig()
        _ = rig.tell(.beginStep(0))
        #expect(rig.pull("x").sent == [.register])
        #expect(rig.ping("x").sent == [.register])
        #expect(rig.answer("x", 0..<8, total: 3 * frameBytes).sent == [.register])
        #expect(rig.say(.goodbye(reason: ""), from: "x").isEmpty)
    }

    @Test func `a worker of another version, other arithmetic or one too many is refused with a sentence`() {
        var rig = CoordinatorRig { $0.maximumWorkers = 1 }
        #expect(rig.hello("a", version: "1.1").refusals == [.version])
        #expect(rig.hello("b", fingerprint: [UInt8](repeating: 8, count: 32)).refusals == [.fingerprint])
        #expect(rig.hello("c").refusals.isEmpty)
        let full = rig.hello("d")
        #expect(full.contains(.refused("d", Refusal(.full, "there are 1 workers, as many as the coordinator takes"))))
        #expect(rig.machine.roster.map(\.label) == ["host/c"])
        #expect(rig.machine.counters.refused == 3)
    }

    @Test func `a worker of another protocol is told both versions`() {
        var rig = CoordinatorRig()
        let refused = rig.tell(.undecodable(DecodeError(.version, wanted: 1, got: 2), from: "a"))
        let refusal = Refusal(.version, "the coordinator speaks protocol version 1, the worker 2")
        #expect(refused.sent == [.refused(refusal)])
    }

    // MARK: Offences

    @Test func `a sender of malformed bytes is dropped, and its work goes to the others`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        let dropped = rig.tell(.undecodable(DecodeError(.checksum, wanted: 1, got: 2), from: "a"))
        #expect(dropped.contains(.dropped("a", reason: "checksum: wanted 1, got 2")))
        #expect(dropped.refusals == [.malformed])
        #expect(dropped.assigned == ["b [0, 4)"])
        #expect(rig.machine.counters.malformed == [.checksum: 1])
        #expect(rig.hello("a", session: 2).refusals == [.malformed])
        #expect(rig.machine.roster.count == 1)
    }

    @Test func `malformed bytes from nobody are counted and nothing else`() {
        var rig = CoordinatorRig()
        #expect(rig.tell(.undecodable(DecodeError(.magic, wanted: 1, got: 2), from: "x")).isEmpty)
        #expect(rig.machine.counters.malformed == [.magic: 1])
    }

    @Test func `an answer past the last shard, past the limit, or changed between its frames is an offence`() {
        let offences: [[Message]] = [
            CoordinatorRig.answer(8..<16),
            CoordinatorRig.answer(0..<8, total: 3 * frameBytes + 1),
            [
                CoordinatorRig.answer(0..<8, total: 2 * frameBytes)[0],
                CoordinatorRig.answer(0..<8, total: 5 + frameBytes)[1],
            ],
            [
                CoordinatorRig.answer(0..<8, total: 2 * frameBytes)[0],
                CoordinatorRig.answer(0..<8, value: 2, total: 2 * frameBytes)[0],
            ],
        ]
        for messages in offences {
            var rig = CoordinatorRig()
            _ = rig.join("a")
            _ = rig.tell(.beginStep(0))
            let told = messages.flatMap { rig.tell(.received($0, from: "a")) }
            #expect(told.drops == ["a"])
            #expect(rig.machine.load.partialAnswers == 0)
            // What was stored of it is let go of.
            #expect(told.discarded == told.stored.map { "a \($0.subtree)" })
        }
    }

    @Test func `an answer that the shell cannot use is computed again by another, and its sender dropped`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        _ = rig.answer("a", 0..<4)
        let unusable = rig.tell(.unusable(step: 0, subtree: Subtree(first: 0, count: 4)!, reason: "not a sum"))
        #expect(unusable.drops == ["a"])
        #expect(unusable.assigned == ["b [0, 4)"])
        _ = rig.fold("b", 4..<8)
        #expect(rig.fold("b", 0..<4).contains(.stepReduced(0)))
    }

    @Test func `a late second answer does not stand in for an unusable first`() {
        var rig = CoordinatorRig.straggling()
        _ = rig.wait(2, hearing: ["a", "b"])
        let late = CoordinatorRig.answer(4..<8, total: 2 * frameBytes)
        _ = rig.tell(.received(late[0], from: "b"))
        _ = rig.answer("a", 4..<8, total: 2 * frameBytes)
        let unusable = rig.tell(.unusable(step: 0, subtree: Subtree(first: 4, count: 4)!, reason: "not a sum"))
        #expect(unusable.assigned == ["b [4, 8)"])
        #expect(rig.answer("b", 4..<8, total: 2 * frameBytes).folded == ["b [4, 8)"])
    }

    // MARK: Workers that never answer

    @Test func `a range whose holders are all late goes to one idle worker after another`() {
        var rig = CoordinatorRig { $0.fallbackAfter = .seconds(1000) }
        for worker in ["a", "b"] as [WorkerID] { _ = rig.join(worker) }
        _ = rig.tell(.beginStep(0))
        // b answers at once and repeats what a holds; from then on it says nothing either.
        _ = rig.fold("b", 4..<8)
        #expect(rig.wait(2, hearing: ["a", "b"]).assigned == ["b [0, 4)"])
        // b has it for a second, and that is late.
        #expect(rig.join("c").assigned == ["c [0, 4)"])
        #expect(rig.join("d").assigned.isEmpty)
        // Newcomers have as long as ranges take, which is no time here.
        let all: [WorkerID] = ["a", "b", "c", "d"]
        #expect(rig.wait(1, hearing: all).assigned == ["d [0, 4)"])
        #expect(rig.wait(8, hearing: all).assigned.isEmpty)
        #expect(rig.machine.load.ranges == 4)
        // The first answer counts, whoever it is of; a second one is compared.
        #expect(rig.fold("a", 0..<4).contains(.stepReduced(0)))
        #expect(rig.answer("c", 0..<4).isEmpty)
        #expect(rig.machine.counters.equalAnswers == 1 && rig.machine.counters.lost == 0)
        // Who still holds work of the step before gets none of the next as long as another can take it.
        #expect(rig.tell(.beginStep(1)).assigned == ["a [0, 4)", "c [4, 8)"])
    }

    @Test func `with nobody who answers the coordinator computes what they hold`() {
        var rig = CoordinatorRig()
        let all: [WorkerID] = ["a", "b", "c"]
        for worker in all { _ = rig.join(worker) }
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 3)", "b [3, 6)", "c [6, 8)"])
        let waited = rig.wait(19, hearing: all)
        #expect(waited.own.isEmpty && waited.local.isEmpty)
        #expect(rig.wait(1, hearing: all).own == [Subtree(first: 0, count: 2)!])
        // One at a time.
        #expect(rig.wait(5, hearing: all).own.isEmpty)
        for (first, count) in [(0, 2), (2, 1), (3, 1), (4, 2)] {
            let computed = rig.computeOwn(first..<first + count)
            #expect(computed.foldedOwn.count == 1 && computed.own.count == 1, "\(computed)")
        }
        // A worker's late answer is held against the one that was computed here.
        #expect(rig.answer("a", 0..<2).isEmpty)
        #expect(rig.machine.counters.equalAnswers == 1)
        #expect(rig.computeOwn(6..<8).contains(.stepReduced(0)))
        #expect(rig.machine.counters.shardsComputedLocally == 8 && rig.machine.counters.lost == 0)
        // The next step does not wait for them again.
        let next = rig.tell(.beginStep(1))
        #expect(next.assigned.isEmpty && next.local == [ShardRange(0..<2)], "\(next)")
    }

    @Test func `of an answer that is computed here and one that comes meanwhile the first counts`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        let whole = Subtree(first: 0, count: 8)!
        #expect(rig.wait(21, hearing: ["a"]).own == [whole])
        #expect(rig.answer("a", 0..<8).folded == ["a [0, 8)"])
        #expect(rig.computeOwn(0..<8) == [.discardOwn(step: 0, subtree: whole)])
        #expect(rig.tell(.folded(step: 0, subtree: whole)) == [.stepReduced(0)])
    }

    @Test(arguments: [true, false])
    func `an answer that differs from what is computed here is a conflict`(isLate: Bool) {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        #expect(rig.wait(21, hearing: ["a", "b"]).own == [Subtree(first: 0, count: 4)!])
        let first = isLate ? rig.computeOwn(0..<4) : rig.answer("a", 0..<4, value: 7)
        #expect(first.conflicts.isEmpty)
        let second = isLate ? rig.answer("a", 0..<4, value: 7) : rig.computeOwn(0..<4)
        #expect(second.conflicts.count == 1 && rig.machine.counters.conflicts == 1)
    }

    @Test func `what the coordinator computes of a lost worker's range is given to nobody else`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        #expect(rig.wait(21, hearing: ["a"]).own.count == 1)
        #expect(rig.tell(.workerExited("a")).local.isEmpty)
        #expect(rig.join("b").assigned.isEmpty)
        #expect(rig.computeOwn(0..<8).contains(.stepReduced(0)))
    }

    @Test func `workers that come anew again and again keep no step from its end`() {
        var rig = CoordinatorRig()
        _ = rig.tell(.beginStep(0))
        var own: [Subtree] = []
        for session in 1...21 {
            own += rig.hello("a", session: UInt64(session)).own + rig.pull("a", session: UInt64(session)).own
            own += rig.tell(.tick, after: .seconds(1)).own
        }
        #expect(own == [Subtree(first: 0, count: 8)!])
    }

    // MARK: Nobody there

    @Test func `with no worker at the start the coordinator waits, then computes piece by piece`() {
        var rig = CoordinatorRig()
        #expect(rig.tell(.beginStep(0)).isEmpty)
        #expect(rig.tell(.tick, after: .milliseconds(9900)).isEmpty)
        #expect(rig.tell(.tick, after: .milliseconds(100)).local == [ShardRange(0..<2)])
        #expect(rig.tell(.tick, after: .seconds(1)).isEmpty)
        for first in [0, 2, 4] {
            let next = rig.tell(.computedLocally(step: 0, range: ShardRange(first..<first + 2)))
            #expect(next.local == [ShardRange(first + 2..<first + 4)])
        }
        #expect(rig.tell(.computedLocally(step: 0, range: ShardRange(6..<8))) == [.stepReduced(0)])
        #expect(rig.tell(.beginStep(1)).local == [ShardRange(0..<2)])
    }

    @Test func `a worker that comes while the coordinator computes gets all the rest`() {
        var rig = CoordinatorRig { $0.fallbackAfter = .zero }
        #expect(rig.tell(.beginStep(0)).local == [ShardRange(0..<2)])
        #expect(rig.join("a").assigned == ["a [2, 8)"])
        #expect(rig.tell(.computedLocally(step: 0, range: ShardRange(0..<2))).isEmpty)
        _ = rig.fold("a", 2..<4)
        #expect(rig.fold("a", 4..<8).contains(.stepReduced(0)))
    }

    @Test func `when the last worker is gone the coordinator computes at once`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        #expect(rig.tell(.workerExited("a")).local == [ShardRange(0..<2)])
    }

    @Test func `when none will come the coordinator computes at once, unless there is one`() {
        var rig = CoordinatorRig()
        _ = rig.tell(.beginStep(0))
        #expect(rig.tell(.nobodyComes).local == [ShardRange(0..<2)])
        var other = CoordinatorRig()
        _ = other.hello("a")
        _ = other.tell(.beginStep(0))
        #expect(other.tell(.nobodyComes).isEmpty)
    }

    @Test func `a worker that never pulls is waited for as if there were none`() {
        var rig = CoordinatorRig()
        _ = rig.hello("a")
        _ = rig.tell(.beginStep(0))
        var local: [ShardRange] = []
        for _ in 0..<13 {
            rig.now += .seconds(1)
            let status = WorkerStatus(session: 1, wanted: 0, isComputing: false, progress: 0)
            local += rig.say(.ping(status), from: "a").local
            local += rig.tell(.tick).local
        }
        #expect(local == [ShardRange(0..<2)])
    }

    @Test func `stop ends every worker, and those that come later`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.join("b")
        _ = rig.tell(.beginStep(0))
        #expect(rig.tell(.stop(reason: "done")).sent == [.stop(reason: "done"), .stop(reason: "done")])
        #expect(rig.hello("c").sent == [.stop(reason: "done")])
        // Until they have said goodbye, or have gone, they are waited for.
        #expect(rig.machine.leaving == ["a", "b", "c"])
        #expect(rig.say(.goodbye(reason: "stopped"), from: "b").isEmpty)
        _ = rig.tell(.workerExited("c"))
        #expect(rig.machine.leaving == ["a"])
        #expect(rig.answer("a", 0..<4, total: 2 * frameBytes).isEmpty)
        #expect(rig.tell(.stop(reason: "again")).isEmpty)
        #expect(rig.tell(.tick).isEmpty)
    }

    @Test func `who is waited for is told, oldest first`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        _ = rig.tell(.beginStep(1), after: .seconds(1))
        // The range of step 1 waits behind the one of step 0.
        #expect(rig.machine.waitingFor.map(\.waited) == [.seconds(1)])
        _ = rig.pull("a", finished: ShardRange(0..<8), step: 0)
        #expect(rig.machine.waitingFor.map(\.ranges) == [[ShardRange(0..<8)]])
        #expect(rig.machine.waitingFor.map(\.waited) == [.zero])
    }

    @Test
    func
        `after ten seconds without progress it is said, then ever more rarely, and not while the coordinator is stopped`()
    {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        rig.now += .seconds(60)
        #expect(rig.tell(.suspended(for: .seconds(60))).isEmpty)
        var said: [Int] = []
        for second in 1...45 where !rig.wait(1, hearing: ["a"]).notices.isEmpty { said.append(second) }
        #expect(said == [10, 20, 40])
        _ = rig.fold("a", 0..<8)
        #expect(rig.wait(60, hearing: ["a"]).notices.isEmpty)
    }

    @Test func `an answer's frame is progress`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        #expect(rig.wait(8, hearing: ["a"]).notices.isEmpty)
        _ = rig.tell(.received(CoordinatorRig.answer(0..<8, total: 2 * frameBytes)[0], from: "a"))
        #expect(rig.wait(9, hearing: ["a"]).notices.isEmpty)
        #expect(rig.wait(1, hearing: ["a"]).notices == [.seconds(10)])
    }

    @Test func `a worker that was lost and comes again is not one more`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.tick, after: .seconds(5))
        #expect(rig.machine.counters.lost == 1)
        _ = rig.hello("a", session: 2)
        _ = rig.hello("b")
        #expect(rig.machine.counters.joined == 2 && rig.machine.roster.count == 2)
    }

    @Test func `no more answers begin to arrive than there is room for, and one that stands still makes room`() {
        var rig = CoordinatorRig { $0.answerRoom = 2 }
        for worker in ["a", "b", "c"] as [WorkerID] { _ = rig.join(worker) }
        #expect(rig.tell(.beginStep(0)).assigned == ["a [0, 4)", "b [4, 8)"])
        // All but the last frame of each.
        for (worker, shards) in [("a", 0..<4), ("b", 4..<8)] as [(WorkerID, Range<Int>)] {
            let first = CoordinatorRig.answer(shards, total: 2 * frameBytes)[0]
            #expect(rig.tell(.received(first, from: worker)).stored.count == 1)
        }
        let later = rig.wait(9, hearing: ["a", "b", "c"])
        #expect(later.discarded == ["a [0, 4)"] && later.assigned == ["c [0, 4)"])
        #expect(rig.machine.load.partialAnswers == 1)
    }

    @Test func `a step after one in which nobody helped is not waited for again`() {
        var rig = CoordinatorRig()
        _ = rig.join("a")
        _ = rig.tell(.beginStep(0))
        var own: [Subtree] = []
        for _ in 0..<40 where own.isEmpty { own = rig.wait(1, hearing: ["a"]).own }
        #expect(own == [Subtree(first: 0, count: 8)!])
        #expect(rig.computeOwn(0..<8).contains(.stepReduced(0)))
        _ = rig.pull("a", finished: ShardRange(0..<8))
        let next = rig.tell(.beginStep(1))
        // The coordinator does half of it, or a could never show that it is of use.
        #expect(next.assigned == ["a [0, 4)"] && next.local == [ShardRange(4..<6)])
        // Who helps is waited for again.
        _ = rig.fold("a", 0..<4, step: 1)
        #expect(rig.tell(.computedLocally(step: 1, range: ShardRange(4..<6))).local.isEmpty)
        _ = rig.fold("a", 6..<7, step: 1)
        #expect(rig.fold("a", 7..<8, step: 1).contains(.stepReduced(1)))
        let third = rig.tell(.beginStep(2))
        #expect(third.assigned == ["a [0, 8)"] && third.local.isEmpty && third.own.isEmpty)
    }
}
