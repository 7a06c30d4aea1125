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

    /// Reads `path` up to the first line that does not verify, and hands each that does to `body`.
    ///
    /// A ledger that is not there is an empty one. `body` gets the entry, its hash in hexadecimal as ASCII, and the place at
    /// which its line ends.
    static func read(
        path: String, _ body: (LedgerEntry, _ hash: [UInt8], _ end: Int) throws(RunError) -> Void = { _, _, _ in }
    ) throws(RunError) -> LedgerReading {
        do {
            return try read(
                path: path,
                goingOn: { entry, hash, end in
                    try body(entry, hash, end)
                    return true
                })
        } catch let error as RunError { throw error } catch { preconditionFailure("LedgerReading: \(error)") }
    }

    /// The same, for as long as `goesOn` says so of the entry it is handed.
    static func read(path: String, while goesOn: (LedgerEntry) throws -> Bool) throws -> LedgerReading {
        try read(path: path, goingOn: { entry, _, _ in try goesOn(entry) })
    }

    private static func read(
        path: String, goingOn body: (LedgerEntry, _ hash: [UInt8], _ end: Int) throws -> Bool
    ) throws -> LedgerReading {
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
                guard try body(line.entry, line.hash, end) else { return reading }
            }
        }
        return reading
    }
}
