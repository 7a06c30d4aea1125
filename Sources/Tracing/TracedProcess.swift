/// What one process did, under a name for people.
package struct TracedProcess: Sendable, Equatable {
    package let name: String
    package let identifier: Int32
    package var records: [Trace.Record]

    package init(name: String, identifier: Int32, records: [Trace.Record]) {
        self.name = name
        self.identifier = identifier
        self.records = records
    }

    // A process that is to be joined with others leaves lines: a span's number, its thread, begin, end.

    /// Some records as lines.
    package static func lines(_ records: [Trace.Record]) -> String {
        records.map { "\($0.span.rawValue) \($0.thread) \($0.begin) \($0.end)\n" }.joined()
    }

    /// Reads lines; one that was not finished, because its process was ended, is left out.
    package init(name: String, identifier: Int32, lines: String) {
        let records = lines.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .compactMap { line -> Trace.Record? in
                let numbers = line.split(separator: " ").compactMap { UInt64($0) }
                guard numbers.count == 4, let span = UInt8(exactly: numbers[0]).flatMap(Span.init(rawValue:)),
                    numbers[2] <= numbers[3]
                else { return nil }
                return Trace.Record(span: span, thread: numbers[1], begin: numbers[2], end: numbers[3])
            }
        self.init(name: name, identifier: identifier, records: records)
    }
}

extension [TracedProcess] {
    /// What every trace begins with.
    package static var traceBeginning: String { "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" }

    /// The trace as Chrome's and Perfetto's JSON: complete events in microseconds of one clock, from the first one on.
    package var traceJSON: String {
        let start = flatMap(\.records).map(\.begin).min() ?? 0
        var events: [String] = []
        for process in self {
            let id = process.identifier
            events.append(
                #"{"ph":"M","name":"process_name","pid":\#(id),"tid":0,"args":{"name":"\#(process.name)"}}"#)
            // Threads in the order of their first spans; the main one of a loop is the first.
            var threads: [UInt64: Int] = [:]
            for record in process.records.sorted(by: { ($0.begin, $1.end) < ($1.begin, $0.end) }) {
                let thread = threads[record.thread, default: threads.count + 1]
                threads[record.thread] = thread
                events.append(
                    #"{"ph":"X","name":"\#(record.span.name)","cat":"lockstep","pid":\#(id),"tid":\#(thread),"ts":\#(microseconds(record.begin - start)),"dur":\#(microseconds(record.end - record.begin))}"#
                )
            }
        }
        return Self.traceBeginning + events.joined(separator: ",\n") + "\n]}\n"
    }

    private func microseconds(_ nanoseconds: UInt64) -> String {
        let rest = String(nanoseconds % 1000)
        return "\(nanoseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }
}

extension TracedProcess {
    /// Nanoseconds of each span without those that lie within it on the same thread.
    package var ownTimes: [Span: UInt64] {
        var times: [Span: UInt64] = [:]
        for (_, records) in Dictionary(grouping: records, by: \.thread) {
            var open: [Trace.Record] = []
            for record in records.sorted(by: { ($0.begin, $1.end) < ($1.begin, $0.end) }) {
                while let last = open.last, last.end <= record.begin { open.removeLast() }
                let length = record.end - record.begin
                times[record.span, default: 0] += length
                if let outer = open.last { times[outer.span, default: 0] -= Swift.min(length, times[outer.span] ?? 0) }
                open.append(record)
            }
        }
        return times
    }
}
