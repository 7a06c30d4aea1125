internal import Foundation

/// The part of a ledger that holds together, from its first line on.
package struct LedgerReading: Sendable {
    /// Lines that verify; the step of the last of them.
    package internal(set) var steps: UInt64 = 0
    /// Hash of the last of them, in hexadecimal.
    package var head: String { String(decoding: headDigits, as: UTF8.self) }
    /// Where they end.
    package internal(set) var byteCount = 0
    /// A sentence about what follows them, if something does that is not merely a line cut short; its first line is named.
    package internal(set) var fault: String?
    /// Bytes of a last line without its end, as a killed writer leaves it.
    package internal(set) var tornBytes = 0

    var headDigits = LedgerLine.noHash

    /// Reads `path` up to the first line that does not verify, for as long as `goesOn` says so of the entry it is handed.
    ///
    /// A ledger that is not there is an empty one.
    static func read(
        path: String, while goesOn: (LedgerEntry) throws(RunError) -> Bool
    ) throws(RunError) -> LedgerReading {
        var reading = LedgerReading()
        guard FileSystem.kind(of: path) != nil else { return reading }
        var cursor = try LedgerCursor(path: path)
        while let piece = try cursor.next() {
            switch piece {
            case .damage(let damage):
                reading.fault = damage.sentence
                return reading
            case .torn(let bytes): reading.tornBytes = bytes
            case .line(let line, let end):
                reading.steps = line.entry.step
                reading.byteCount = end
                reading.headDigits = line.hash
                guard try goesOn(line.entry) else { return reading }
            }
        }
        return reading
    }
}
