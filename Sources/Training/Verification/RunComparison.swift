internal import Foundation
internal import TensorCore

/// The ledgers of two runs, held against each other as far as both go.
package struct RunComparison: Sendable {
    /// The last step of each.
    package let steps: (UInt64, UInt64)
    /// How many steps have a line that holds in both.
    package let compared: UInt64
    /// Nil when every step that both have is identical.
    package let difference: LedgerDifference?
    /// Settings in which the two runs differ, a sentence each.
    package let settings: [String]
    /// Where a ledger is damaged, a sentence each: nothing is said of the steps whose lines do not hold.
    package let damages: [String]

    /// Of runs without a step in common nothing is known, nor of lines that do not hold.
    package var isIdentical: Bool { difference == nil && compared > 0 && damages.isEmpty }

    /// Holds them against each other, and once more, for up to 5 s, where a ledger seems damaged, or is cut while it is read, and a
    /// process holds its run: whoever takes a run up puts it in order in that time.
    package init(_ left: String, _ right: String) throws {
        var attempts = 0
        while true {
            attempts += 1
            let isLast = attempts >= 3 && (attempts == 50 || ![left, right].contains(where: RunLock.isHeld))
            do {
                let comparison = try Self(once: left, right)
                if isLast || comparison.damages.isEmpty || comparison.difference != nil {
                    self = comparison
                    return
                }
            } catch let error as RunError where error.isOfAFileCutMeanwhile && !isLast {
                // Cut while it was read.
            }
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    private init(once left: String, _ right: String) throws {
        let directories = (try RunDirectory(left), try RunDirectory(right))
        let records = (
            try RunRecord(reading: directories.0, for: .reading), try RunRecord(reading: directories.1, for: .reading)
        )
        settings = try records.0.differences(from: records.1)
        let claims = (try RunClaims(directories.0), try RunClaims(directories.1))
        // First the entries as one number each, so that ledgers of any length fit; then the two lines themselves.
        var digests: [(step: UInt64, digest: UInt64)] = []
        let first = try Self.read(directories.0) { digests.append(($0.step, $0.digest)) }
        var (index, compared, step) = (0, UInt64(0), UInt64?.none)
        let second = try Self.read(directories.1) { entry in
            while index < digests.count, digests[index].step < entry.step { index += 1 }
            guard index < digests.count, digests[index].step == entry.step else { return }
            compared += 1
            if step == nil, digests[index].digest != entry.digest { step = entry.step }
        }
        steps = (first.last, second.last)
        damages =
            first.damages + second.damages
            + [
                Self.loss(of: directories.0, claims.0, after: first.last),
                Self.loss(of: directories.1, claims.1, after: second.last),
            ].compactMap(\.self)
        self.compared = compared
        guard let step else {
            difference = nil
            return
        }
        let entries = (try Self.entry(step, of: directories.0), try Self.entry(step, of: directories.1))
        difference = LedgerDifference(
            entries.0, entries.1, names: records.0.parameterNames, shardCount: records.0.configuration.shards)
    }

    /// A sentence about a ledger that has no line, or none any more for any checkpoint that is kept; nil for any other.
    private static func loss(of directory: RunDirectory, _ claims: RunClaims, after last: UInt64) -> String? {
        let oldest = claims.checkpoints.filter { $0 > 0 }.min()
        guard last == 0 || oldest.map({ $0 > last }) ?? false else { return nil }
        return claims.contradiction(
            of: directory.ledgerPath, endingAt: last, last == 0 ? "has no line" : "ends at step \(last)")
    }

    /// Hands out the entries of all lines that hold, in ascending order of steps.
    private static func read(
        _ directory: RunDirectory, _ body: (LedgerEntry) -> Void
    ) throws -> (last: UInt64, damages: [String]) {
        var (last, damages): (UInt64, [String]) = (0, [])
        guard FileSystem.kind(of: directory.ledgerPath) != nil else { return (last, damages) }
        var cursor = try LedgerCursor(path: directory.ledgerPath)
        while let piece = try cursor.next() {
            switch piece {
            case .damage(let damage): damages.append(damage.sentence)
            case .torn: break
            case .line(let line, _):
                last = line.entry.step
                body(line.entry)
            }
        }
        return (last, damages)
    }

    private static func entry(_ step: UInt64, of directory: RunDirectory) throws -> LedgerEntry {
        var cursor = try LedgerCursor(path: directory.ledgerPath)
        while let piece = try cursor.next() {
            if case .line(let line, _) = piece, line.entry.step == step { return line.entry }
        }
        throw RunError(.damaged, "\(directory.ledgerPath): line \(step) is gone")
    }
}

extension LedgerEntry {
    /// All that two runs must have in common, as one number.
    fileprivate var digest: UInt64 {
        let numbers = [step, batch, loss.bitPattern, tokens, UInt64(gradient.count)] + gradient + parameters + shards
        return numbers.reduce(0, FloatChecksum.mix)
    }
}
