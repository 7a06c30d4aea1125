internal import Foundation
internal import Interchange

/// What a coordinator has counted of its workers since it began.
package struct WorkerCounts: Sendable, Equatable {
    /// How many there are now.
    package var live: Int
    package var seen: Int
    package var lost: Int
    /// Answers that were computed twice on purpose, and workers whose answer was wrong.
    package var audited: Int
    package var outvoted: Int

    package init(live: Int = 0, seen: Int = 0, lost: Int = 0, audited: Int = 0, outvoted: Int = 0) {
        (self.live, self.seen, self.lost) = (live, seen, lost)
        (self.audited, self.outvoted) = (audited, outvoted)
    }

    static func + (left: WorkerCounts, right: WorkerCounts) -> WorkerCounts {
        WorkerCounts(
            live: right.live, seen: left.seen + right.seen, lost: left.lost + right.lost,
            audited: left.audited + right.audited, outvoted: left.outvoted + right.outvoted)
    }
}

/// `workers.jsonl`: what each holder of a run has counted of its workers, so that the summary can speak of all of them.
///
/// A line is appended after a step in which a count has changed; the last of an incarnation counts. Nothing is computed from them: a
/// line that is damaged is passed over.
final class WorkerLog {
    static let fileName = "workers.jsonl"

    private struct Line: Codable {
        let incarnation: UInt64
        let seen: Int
        let lost: Int
        let audited: Int
        let outvoted: Int

        enum CodingKeys: String, CodingKey {
            case incarnation, audited, outvoted
            case seen = "workers_seen"
            case lost = "workers_lost"
        }

        init(_ counts: WorkerCounts, incarnation: UInt64) {
            self.incarnation = incarnation
            (seen, lost, audited, outvoted) = (counts.seen, counts.lost, counts.audited, counts.outvoted)
        }

        var counts: WorkerCounts? {
            let all = [seen, lost, audited, outvoted]
            guard all.allSatisfy({ (0...1 << 40).contains($0) }) else { return nil }
            return WorkerCounts(seen: seen, lost: lost, audited: audited, outvoted: outvoted)
        }
    }

    private let path: String
    private let incarnation: UInt64
    /// Of the incarnations before.
    private let earlier: WorkerCounts
    private var own = WorkerCounts()
    private var end: Int

    /// What all holders together have counted, this one included.
    var total: WorkerCounts { earlier + own }

    init(run: String, incarnation: UInt64) throws(RunError) {
        path = "\(run)/\(Self.fileName)"
        self.incarnation = incarnation
        var last: [UInt64: WorkerCounts] = [:]
        var end = 0
        if FileSystem.kind(of: path) != nil {
            let decoder = JSONDecoder()
            var lines = try LineReader(path: path)
            while let line = try lines.next() {
                guard let lineEnd = line.end else { continue }
                end = lineEnd
                guard let line = try? decoder.decode(Line.self, from: Data(line.bytes)), let counts = line.counts else {
                    continue
                }
                last[line.incarnation] = counts
            }
        }
        last[incarnation] = nil
        earlier = last.values.reduce(WorkerCounts(), +)
        self.end = end
    }

    /// Takes down what this holder has counted so far, if that has changed.
    func note(_ counts: WorkerCounts) throws(RunError) {
        var counts = counts
        counts.live = 0
        guard counts != own else { return }
        let line = try JSONText.encode(Line(counts, incarnation: incarnation), .oneLine, as: path)
        let file = try OutputFile(path: path, .existing)
        // A line that was cut short goes.
        try file.truncate(to: end)
        try unsafe file.write(line.span.bytes, at: end)
        end += line.count
        own = counts
    }
}
