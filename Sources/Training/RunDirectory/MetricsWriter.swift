internal import Foundation
internal import Interchange

/// Appends records to a run's `metrics.jsonl`, one JSON line each, with the system when `append` returns.
package final class MetricsWriter {
    private let file: OutputFile
    private var end: Int
    /// Of the last record; 0 before the first.
    private(set) var step: UInt64 = 0

    /// Goes on after the records of `step` and earlier ones; later ones and a torn last line are removed.
    ///
    /// Records have a member `step`, which never descends.
    init(path: String, after step: UInt64) throws(RunError) {
        struct Record: Decodable { let step: UInt64 }
        var (end, last) = (0, UInt64(0))
        if FileSystem.kind(of: path) != nil {
            let decoder = JSONDecoder()
            var lines = try LineReader(path: path)
            while let line = try lines.next(), let lineEnd = line.end,
                let record = try? decoder.decode(Record.self, from: Data(line.bytes)), record.step <= step
            {
                end = lineEnd
                last = record.step
            }
        }
        file = try OutputFile(path: path, .existing)
        try file.truncate(to: end)
        self.end = end
        self.step = last
    }

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
