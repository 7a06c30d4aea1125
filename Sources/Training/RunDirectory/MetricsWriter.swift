internal import Foundation
internal import Interchange

/// Appends records to a run's `metrics.jsonl`, one JSON line each, with the system when `append` returns.
package final class MetricsWriter {
    private let file: OutputFile
    private var end: Int
    /// Of the last record; 0 before the first.
    private(set) var step: UInt64 = 0
    /// Steps of the records that were there.
    let recorded: [UInt64]
    /// What was dropped beside records of later steps, or is not as it should be and stays, a sentence each.
    let notes: [String]

    /// Goes on after the records of `step` and earlier ones; later ones and whatever else follows them are removed.
    ///
    /// Records have a member `step`, which ascends. A line between two of them that is none stays where it is: it may be
    /// all that is left of one.
    init(path: String, after step: UInt64) throws(RunError) {
        struct Record: Decodable { let step: UInt64 }
        var recorded: [UInt64] = []
        /// Numbers of lines that are no records: between records, and after the last of them.
        var (between, behind): ([Int], [Int]) = ([], [])
        var (end, number, tornBytes) = (0, 0, 0)
        if FileSystem.kind(of: path) != nil {
            let decoder = JSONDecoder()
            var lines = try LineReader(path: path)
            while let line = try lines.next() {
                number += 1
                if line.end == nil, lines.isAtEnd {
                    tornBytes = line.bytes.count
                } else if let lineEnd = line.end, let record = try? decoder.decode(Record.self, from: Data(line.bytes)),
                    record.step > recorded.last ?? 0
                {
                    guard record.step <= step else { continue }
                    between += behind
                    behind = []
                    recorded.append(record.step)
                    end = lineEnd
                } else {
                    behind.append(number)
                }
            }
        }
        var notes: [String] = []
        if !between.isEmpty { notes.append("\(path): \(Self.sentence(between)); what is there stays as it is") }
        if !behind.isEmpty {
            notes.append(
                "\(path): \(Self.sentence(behind)); dropped with all after the record of step \(recorded.last ?? 0)")
        }
        if tornBytes > 0 {
            notes.append("\(path): the last line was cut short and was dropped (\(tornBytes) bytes)")
        }
        self.notes = notes
        self.recorded = recorded
        file = try OutputFile(path: path, .existing)
        try file.truncate(to: end)
        self.end = end
        self.step = recorded.last ?? 0
    }

    private static func sentence(_ lines: [Int]) -> String {
        let more = lines.count > 5 ? " and \(lines.count - 5) more" : ""
        let list = lines.prefix(5).map(String.init).joined(separator: ", ") + more
        return lines.count == 1
            ? "line \(list) is no record of a step after those before it"
            : "lines \(list) are no records of steps after those before them"
    }

    /// See `OutputFile.requirePlace`.
    func requirePlace() throws(RunError) { try file.requirePlace() }

    /// - Throws: `RunError`; the file is then as it was.
    package func append(_ record: some Encodable) throws(RunError) {
        let line = try JSONText.encode(record, .oneLine, as: file.path)
        do { try unsafe file.write(line.span.bytes, at: end) } catch {
            try? file.truncate(to: end)
            throw error
        }
        end += line.count
    }
}
