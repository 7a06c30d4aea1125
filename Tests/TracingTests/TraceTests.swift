import Dispatch
import Foundation
import Synchronization
import Testing
import Tracing

private func record(_ span: Span, _ begin: UInt64, _ end: UInt64, thread: UInt64 = 7) -> Trace.Record {
    Trace.Record(span: span, thread: thread, begin: begin, end: end)
}

/// Other tests of this process may be traced as well while these run: each looks at threads of its own.
@Suite(.serialized) struct `A trace` {
    @Test func `takes down what is done while it is on, and nothing while it is off`() {
        Trace.stop()
        #expect(Trace.span(.forward) { 3 } == 3)
        Trace.start()
        let before = Trace.now()
        Trace.span(.forward) { Trace.span(.pack) {} }
        let after = Trace.now()
        Trace.stop()
        Trace.span(.update) {}
        let (all, lost) = Trace.take()
        let records = all.filter { $0.thread == Trace.thread }
        #expect(lost == 0)
        #expect(records.map(\.span) == [.pack, .forward])
        #expect(records.allSatisfy { before <= $0.begin && $0.begin <= $0.end && $0.end <= after })
        #expect(records[1].begin <= records[0].begin && records[0].end <= records[1].end)
        #expect(!Trace.take().records.contains { $0.thread == Trace.thread })
    }

    @Test func `counts what it has no room for`() {
        Trace.start()
        for _ in 0..<Trace.capacity + 5 { Trace.span(.wait) {} }
        #expect(Trace.isFilling)
        Trace.stop()
        let (records, lost) = Trace.take()
        #expect(records.count == Trace.capacity && lost >= 5)
        #expect(!Trace.isFilling)
    }

    @Test func `keeps the spans of several threads apart`() {
        let own = Mutex<Set<UInt64>>([])
        let (done, over) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        Trace.start()
        for _ in 0..<8 {
            Thread.detachNewThread {
                _ = own.withLock { $0.insert(Trace.thread) }
                for _ in 0..<500 { Trace.span(.backward) {} }
                done.signal()
                // Its number is nobody else's before all has been looked at.
                over.wait()
            }
        }
        for _ in 0..<8 { done.wait() }
        Trace.stop()
        let threads = own.withLock { $0 }
        let records = Trace.take().records.filter { threads.contains($0.thread) }
        for _ in 0..<8 { over.signal() }
        #expect(threads.count == 8)
        #expect(Dictionary(grouping: records, by: \.thread).values.map(\.count) == Array(repeating: 500, count: 8))
        #expect(records.allSatisfy { $0.span == .backward && $0.begin <= $0.end })
    }

    @Test func `becomes JSON that Perfetto reads`() throws {
        let processes = [
            TracedProcess(
                name: "coordinator", identifier: 10,
                records: [record(.wait, 5_000_000, 5_002_500), record(.reduce, 5_002_500, 5_002_501, thread: 9)]),
            TracedProcess(name: "worker", identifier: 11, records: [record(.forward, 5_001_000, 5_003_007)]),
        ]
        let object = try JSONSerialization.jsonObject(with: Data(processes.traceJSON.utf8)) as? [String: Any]
        let events = try #require(object?["traceEvents"] as? [[String: Any]])
        let spans = events.filter { $0["ph"] as? String == "X" }
        #expect(spans.map { $0["name"] as? String } == ["wait", "reduce", "forward"])
        #expect(spans.map { $0["pid"] as? Int } == [10, 10, 11])
        #expect(spans.map { $0["tid"] as? Int } == [1, 2, 1])
        #expect(spans.map { $0["ts"] as? Double } == [0, 2.5, 1])
        #expect(spans.map { $0["dur"] as? Double } == [2.5, 0.001, 2.007])
        #expect(events.filter { $0["ph"] as? String == "M" }.count == 2)
    }

    @Test func `is read back from lines, without the one that was cut off`() {
        let records = [record(.send, 1, 2), record(.record, 3, 9)]
        let lines = TracedProcess.lines(records)
        #expect(TracedProcess(name: "w", identifier: 1, lines: lines).records == records)
        #expect(TracedProcess(name: "w", identifier: 1, lines: lines + "3 7 11").records == records)
        #expect(TracedProcess(name: "w", identifier: 1, lines: "99 1 1 1\nx\n3 7 5 4\n" + lines).records == records)
    }

    @Test func `counts the time of a span without the spans within it`() {
        let process = TracedProcess(
            name: "w", identifier: 1,
            records: [
                record(.forward, 0, 100), record(.pack, 10, 40), record(.pack, 100, 120), record(.backward, 100, 200),
                record(.wait, 0, 60, thread: 8),
            ])
        #expect(process.ownTimes == [.forward: 70, .pack: 50, .backward: 80, .wait: 60])
    }
}
