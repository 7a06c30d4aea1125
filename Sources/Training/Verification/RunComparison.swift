internal import TensorCore

/// The ledgers of two runs, held against each other as far as both go.
package struct RunComparison: Sendable {
    /// Steps of each.
    package let steps: (UInt64, UInt64)
    /// Nil when every step that both have is identical.
    package let difference: LedgerDifference?
    /// Settings in which the two runs differ, a sentence each.
    package let settings: [String]

    /// Of runs without a step in common nothing is known.
    package var isIdentical: Bool { difference == nil && min(steps.0, steps.1) > 0 }

    package init(_ left: String, _ right: String) throws {
        let directories = (try RunDirectory(left), try RunDirectory(right))
        let records = (
            try RunRecord(reading: directories.0, for: .reading), try RunRecord(reading: directories.1, for: .reading)
        )
        settings = try records.0.differences(from: records.1)
        // First the entries as one number each, so that ledgers of any length fit; then the two lines themselves.
        var digests: [UInt64] = []
        let first = try Self.read(directories.0) { digests.append($0.digest) }
        var step: UInt64?
        let second = try Self.read(directories.1) { entry in
            let index = Int(entry.step) - 1
            if step == nil, index < digests.count, digests[index] != entry.digest { step = entry.step }
        }
        steps = (first.steps, second.steps)
        guard let step else {
            difference = nil
            return
        }
        let entries = (try Self.entry(step, of: directories.0), try Self.entry(step, of: directories.1))
        difference = LedgerDifference(
            entries.0, entries.1, names: records.0.parameterNames, shardCount: records.0.configuration.shards)
    }

    private static func read(
        _ directory: RunDirectory, _ body: (LedgerEntry) throws(RunError) -> Void
    ) throws -> LedgerReading {
        let reading = try directory.readLedger(body)
        if let fault = reading.fault { throw RunError(.damaged, fault) }
        return reading
    }

    private static func entry(_ step: UInt64, of directory: RunDirectory) throws -> LedgerEntry {
        var found: LedgerEntry?
        _ = try LedgerReading.read(
            path: directory.ledgerPath,
            while: { entry in
                if entry.step == step { found = entry }
                return entry.step < step
            })
        guard let found else { throw RunError(.damaged, "\(directory.ledgerPath): line \(step) is gone") }
        return found
    }
}

extension LedgerEntry {
    /// All that two runs must have in common, as one number.
    fileprivate var digest: UInt64 {
        let numbers = [step, batch, loss.bitPattern, tokens, UInt64(gradient.count)] + gradient + parameters + shards
        return numbers.reduce(0, FloatChecksum.mix)
    }
}
