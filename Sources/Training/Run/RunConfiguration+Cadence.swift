// At which steps something is written or measured, beside the ledger's line.
extension RunConfiguration {
    /// Whether the model is validated after `step`, where anything is held out.
    func isValidationStep(_ step: UInt64) -> Bool { step % validationEvery == 0 || step >= steps }

    /// The newest step up to `step` after which the model is validated; 0 when there is none.
    func lastValidationStep(upTo step: UInt64) -> UInt64 {
        isValidationStep(step) ? step : step - step % validationEvery
    }

    /// Whether `metrics.jsonl` has a record of `step`.
    func isRecordedStep(_ step: UInt64) -> Bool { isValidationStep(step) || step % recordEvery == 0 }

    /// The next step after `step` that `metrics.jsonl` has a record of.
    func nextRecordedStep(after step: UInt64) -> UInt64 {
        min(
            step - step % recordEvery + recordEvery, step - step % validationEvery + validationEvery,
            max(steps, step + 1))
    }

    /// About a thousand records beside those of validations, however long the run is.
    private var recordEvery: UInt64 { max(1, steps / 1000) }

    /// Steps from the first to `last` that have no record among `recorded`, which ascend, although they should.
    func missingRecords(among recorded: [UInt64], upTo last: UInt64) -> (first: UInt64, count: Int)? {
        var (first, count): (UInt64?, Int) = (nil, 0)
        var rest = recorded[...]
        var step = nextRecordedStep(after: 0)
        while step <= last {
            while let next = rest.first, next < step { rest.removeFirst() }
            if rest.first != step {
                first = first ?? step
                count += 1
            }
            step = nextRecordedStep(after: step)
        }
        return first.map { ($0, count) }
    }
}
