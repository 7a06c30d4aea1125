// At which steps something is written or measured, beside the ledger's line.
extension RunConfiguration {
    /// Whether the model is validated after `step`, where anything is held out.
    func isValidationStep(_ step: UInt64) -> Bool { step % validationEvery == 0 || step >= steps }

    /// Whether `metrics.jsonl` has a record of `step`.
    package func isRecordedStep(_ step: UInt64) -> Bool { isValidationStep(step) || step % recordEvery == 0 }

    /// The next step after `step` that `metrics.jsonl` has a record of.
    func nextRecordedStep(after step: UInt64) -> UInt64 {
        min(
            step - step % recordEvery + recordEvery, step - step % validationEvery + validationEvery,
            max(steps, step + 1))
    }

    /// About a thousand records beside those of validations, however long the run is.
    private var recordEvery: UInt64 { max(1, steps / 1000) }

    /// How many of the steps from the first to `last` `metrics.jsonl` has a record of.
    private func recordedSteps(upTo last: UInt64) -> UInt64 {
        let (once, twice) = (min(recordEvery, validationEvery), max(recordEvery, validationEvery))
        let (shared, overflows) = (once / greatestCommonDivisor(once, twice)).multipliedReportingOverflow(by: twice)
        let multiples = last / once + last / twice - (overflows ? 0 : last / shared)
        return multiples + (last == steps && last % once != 0 && last % twice != 0 ? 1 : 0)
    }

    /// Steps from the first to `last`, or to the run's last, that have no record among `recorded`, which ascend, although they should.
    ///
    /// Takes as long as there are records, however many steps there are.
    package func missingRecords(among recorded: [UInt64], upTo last: UInt64) -> (first: UInt64, count: UInt64)? {
        let last = min(last, steps)
        let there = recorded.filter { $0 <= last && $0 > 0 && isRecordedStep($0) }
        var first = nextRecordedStep(after: 0)
        for step in there {
            guard step == first else { break }
            first = nextRecordedStep(after: step)
        }
        return first > last ? nil : (first, recordedSteps(upTo: last) - UInt64(there.count))
    }
}

/// Euclid's.
private func greatestCommonDivisor(_ first: UInt64, _ second: UInt64) -> UInt64 {
    second == 0 ? first : greatestCommonDivisor(second, first % second)
}
