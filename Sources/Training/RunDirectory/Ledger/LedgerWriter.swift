internal import Interchange

/// Appends lines to a run's ledger, each chained to the one before.
///
/// A line is with the system when `append` returns, so that the death of this process does not lose it; a checkpoint brings all of
/// them to the disk before it counts.
package final class LedgerWriter {
    /// Of the last line.
    package private(set) var step: UInt64
    /// Hash of the last line, in hexadecimal; zeros before the first.
    package var head: String { String(decoding: headDigits, as: UTF8.self) }

    private let file: OutputFile
    private var headDigits: [UInt8]
    private var end: Int
    private var line: [UInt8] = []

    /// Goes on after the line of `step`, which ends at `end` and has the hash `head`; what follows it is removed.
    init(path: String, after step: UInt64, head: [UInt8], end: Int) throws(RunError) {
        file = try OutputFile(path: path, .existing)
        try file.truncate(to: end)
        self.step = step
        self.end = end
        headDigits = head
    }

    /// See `OutputFile.requirePlace`.
    func requirePlace() throws(RunError) { try file.requirePlace() }

    /// Writes the line of the next step.
    ///
    /// - Returns: its hash, in hexadecimal.
    /// - Throws: `RunError`; the ledger is then as it was, and the same entry can be tried again.
    @discardableResult
    package func append(_ entry: LedgerEntry) throws(RunError) -> String {
        precondition(entry.step == step + 1, "LedgerWriter: step \(entry.step) after step \(step)")
        line.removeAll(keepingCapacity: true)
        let hash = LedgerLine.render(entry, previous: headDigits, into: &line)
        do { try unsafe file.write(line.span.bytes, at: end) } catch {
            try? file.truncate(to: end)
            throw error
        }
        end += line.count
        step = entry.step
        headDigits = hash
        return head
    }
}
