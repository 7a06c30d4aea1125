import ArgumentParser

/// How much of what workers compute is computed a second time.
struct AuditOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Share of ranges that two workers compute: 5% or 5. One whose answer a third contradicts is dropped.",
            valueName: "percent"))
    var audit: String?

    /// From 0 to 1.
    ///
    /// - Parameter hasWorkers: whether there is anybody to audit.
    func share(hasWorkers: Bool) throws -> Double {
        guard let audit else { return 0 }
        let number = audit.hasSuffix("%") ? String(audit.dropLast()) : audit
        guard let percent = Double(number), percent >= 0, percent <= 100 else {
            throw UsageError("--audit '\(audit)': expected a percentage from 0 to 100, as in 5%")
        }
        guard hasWorkers || percent == 0 else {
            throw UsageError("--audit \(audit): expected workers to audit (--workers N, or lockstep coordinator)")
        }
        return percent / 100
    }
}
