/// Which ranges are computed twice on purpose: a fixed share of them, by a hash of run, step and range.
///
/// A run that is repeated with the same cuts into ranges audits the same ones; nobody who does not know the run's number can tell
/// beforehand which.
package struct AuditChoice: Sendable {
    package let share: Double
    private let seed: UInt64

    /// - Parameter share: from 0, none, to 1, all.
    package init(share: Double, run: RunID) {
        precondition(share >= 0 && share <= 1, "AuditChoice: a share of \(share); wanted 0 to 1")
        self.share = share
        var writer = ByteWriter()
        writer.write(run.low)
        writer.write(run.high)
        seed = unsafe XXH64.hash(writer.bytes.span.bytes)
    }

    package func includes(_ range: ShardRange, of step: UInt64) -> Bool {
        guard share > 0 else { return false }
        var writer = ByteWriter()
        writer.write(step)
        writer.write(UInt64(range.first))
        writer.write(UInt64(range.count))
        let hash = unsafe XXH64.hash(writer.bytes.span.bytes, seed: seed)
        return Double(hash >> 11) * 0x1p-53 < share
    }
}
