/// Where a run goes on: after its newest good checkpoint, with ledger and metrics cut to what was done by then.
package struct Resumption {
    /// Nil for a run that has none: it begins, or begins again, at its first step.
    package let checkpoint: Checkpoint?
    package let ledger: LedgerWriter
    package let metrics: MetricsWriter
    /// What was skipped or dropped, a sentence each.
    package let notes: [String]
    /// Steps after the checkpoint that were done before, by the ledger, and are done again.
    package let lostSteps: UInt64
}

extension HeldRun {
    /// Finds the newest checkpoint that verifies and whose step the ledger vouches for, and opens the files that grow.
    ///
    /// A new run resumes from nothing: this is the way to open those files in either case.
    ///
    /// Where the ledger is damaged, the checkpoint before the damage is taken and the steps since are computed again, so that the
    /// ledger is whole once more. Where none is kept from before it, the run goes on from the newest whose own line holds, which is as
    /// exact, and the damaged lines stay where they are. Where none has a line that holds, as when the ledger is lost, the run goes on
    /// from the newest that is whole, whose manifest has the hash of the line that is to come before the next: `verify` computes the
    /// lines that are gone, and finds whether the next follows from them.
    ///
    /// - Parameters:
    ///   - beginning: what the ledger's first line is to follow from; nil for whatever it does.
    ///   - runSteps: how many steps the run is to have; nil for as many as one may have. A checkpoint of a later one is skipped.
    ///   - refusing: why a checkpoint is none of this run's, as a sentence; it is skipped then. Nil for all that are.
    ///   - accepting: throws what is to be said of a good checkpoint that the run may not go on from all the same.
    /// - Throws: `RunError.damaged` when there are checkpoints and none will do, and when there were and none is left; nothing is cut
    ///   then.
    package func resume(
        from beginning: [UInt8]? = nil, runSteps: UInt64? = nil,
        refusing objection: (Checkpoint) -> String? = { _ in nil },
        accepting check: (Checkpoint) throws(RunError) -> Void = { _ in }
    ) throws(RunError) -> Resumption {
        let survey = try LedgerSurvey(
            path: directory.ledgerPath, marking: Set(checkpoints.steps()), from: beginning)
        let (checkpoint, mark, skipped) = try choose(survey, runSteps: runSteps, refusing: objection)
        if let checkpoint { try check(checkpoint) } else { try requireBeginning(survey) }
        let step = checkpoint?.step ?? 0
        // Behind further damage nobody knows how many lines there were, and those behind the run's last step are none of it.
        let last = min(
            survey.damages.count > mark.damages ? survey.damages[mark.damages].after : survey.steps, runSteps ?? .max)
        let lost = last > step ? last - step : 0
        var notes = skipped
        notes += leftNotes(survey, at: mark, after: step, lost: lost)
        if let runSteps, survey.steps > runSteps {
            notes.append(
                "\(directory.ledgerPath): ends at step \(survey.steps) of a run of \(runSteps); what is behind it was dropped"
            )
        }
        let ledger = try LedgerWriter(path: directory.ledgerPath, after: step, head: mark.hash, end: mark.end)
        let metrics = try MetricsWriter(path: directory.metricsPath, after: step)
        notes += metrics.notes
        notes += try retractSummary(after: step)
        if checkpoint != nil { try checkpoints.name(latest: step) }
        // Their names must be on the disk before a checkpoint is that counts on them; and what the run goes on from must not be lost
        // to a power cut when it ends without another checkpoint.
        try FileSystem.synchronizeDirectory(directory.path)
        try checkpoints.synchronizeNames()
        return Resumption(checkpoint: checkpoint, ledger: ledger, metrics: metrics, notes: notes, lostSteps: lost)
    }

    /// A checkpoint to go on from, the line of its step, and what was skipped for it.
    private typealias Choice = (checkpoint: Checkpoint?, mark: LedgerSurvey.Mark, notes: [String])

    private func choose(
        _ survey: LedgerSurvey, runSteps: UInt64?, refusing foreign: (Checkpoint) -> String?
    ) throws(RunError) -> Choice {
        var skipped: [String] = []
        /// The newest whose line holds behind damage, and the newest that is whole although its line is gone.
        var behind: Choice?
        var unvouched: (checkpoint: Checkpoint, skipped: [String])?
        for step in try checkpoints.steps() {
            // To begin again is the last resort, with the parameters that the run was given as with those of its seed.
            if step == 0, behind != nil || unvouched != nil { break }
            if let sentence = checkpoints.excess(step, of: runSteps ?? RunConfiguration.stepLimit - 1) {
                skipped.append(sentence)
                continue
            }
            var objection: String
            do {
                let checkpoint = try checkpoints.verified(step)
                let mark = survey.marks[step]
                if let foreign = foreign(checkpoint) {
                    objection = foreign
                } else if let mark, checkpoint.follows(mark.hash) {
                    guard mark.damages > 0 else { return (checkpoint, mark, skipped) }
                    if behind == nil { behind = (checkpoint, mark, skipped) }
                    objection = survey.absence(in: directory.ledgerPath)
                } else if mark == nil {
                    objection = survey.absence(in: directory.ledgerPath)
                    if unvouched == nil { unvouched = (checkpoint, skipped) }
                } else {
                    objection = "\(directory.ledgerPath): the line of step \(step) is not the checkpoint's"
                }
            } catch { objection = "\(error)" }
            skipped.append("checkpoint of step \(step) skipped: \(objection)")
        }
        if var behind, let checkpoint = behind.checkpoint, let damage = survey.damages.first {
            behind.notes.append(
                "\(damage.sentence); no checkpoint is kept from before it; the run goes on from that of step \(checkpoint.step), which is whole, and the damaged lines stay as they are for lockstep verify to name"
            )
            return behind
        }
        if let (checkpoint, skipped) = unvouched {
            let step = checkpoint.step
            let unvouched =
                step == runSteps
                ? "the run is done by that of step \(step), whose files are what its manifest says, and the ledger vouches for nothing after its last line"
                : "the run goes on from that of step \(step), whose files are what its manifest says, and the ledger vouches for nothing between its last line before that and step \(step + 1)"
            let mark = LedgerSurvey.Mark(
                hash: Array(checkpoint.ledgerHead.utf8),
                end: try LedgerSurvey.place(after: step, in: directory.ledgerPath), damages: survey.damages.count)
            return (
                checkpoint, mark,
                skipped + [
                    "\(survey.absence(in: directory.ledgerPath)); no checkpoint has a line that holds; \(unvouched): lockstep verify computes those steps again"
                ]
            )
        }
        guard skipped.isEmpty else {
            throw RunError(
                .damaged, "\(directory.path): no checkpoint can be used: \(skipped.joined(separator: "; "))")
        }
        guard let beginning = survey.marks[0] else { preconditionFailure("choose: no mark of step 0") }
        return (nil, beginning, [])
    }

    /// Refuses to begin again where a checkpoint is known to have been.
    private func requireBeginning(_ survey: LedgerSurvey) throws(RunError) {
        let names = checkpoints.latest()
        let summary = (try? directory.summary())?.steps
        let witness: (step: UInt64?, sentence: String)? =
            if names.isThere {
                (names.step, "`latest`, which is written after one, is there")
            } else if let summary, summary > 0 {
                (summary, "summary.json is of step \(summary)")
            } else if let saved = survey.savedStep {
                (saved, "the ledger goes on behind that of step \(saved)")
            } else {
                nil
            }
        guard let witness else { return }
        let expected = witness.step.map { "\(CheckpointStore.name($0)) in it" } ?? "one in it"
        throw RunError(
            .damaged,
            "\(directory.path)/checkpoints: there is no checkpoint, although \(witness.sentence); expected \(expected): put it back, or train the run anew with --run elsewhere, which comes to the same bits"
        )
    }

    private func leftNotes(
        _ survey: LedgerSurvey, at mark: LedgerSurvey.Mark, after step: UInt64, lost: UInt64
    ) -> [String] {
        var notes: [String] = []
        if survey.damages.count > mark.damages {
            notes.append("\(survey.damages[mark.damages].sentence); it and all after it were dropped")
        }
        if survey.tornBytes > 0 {
            notes.append(
                "\(directory.ledgerPath): the last line was cut short and was dropped (\(survey.tornBytes) bytes)")
        }
        if lost > 0 {
            notes.append("\(lost) steps after the checkpoint are computed again: \(step + 1) to \(step + lost)")
        }
        return notes
    }

    /// Removes a summary that a run was stopped with before the validation of its last step, which has been made up for.
    func retractSummary(validated step: UInt64) throws(RunError) -> [String] {
        let notes = try retractSummary(
            where: { $0 == step }, " before its validation, which is made up for; removed until the run ends")
        if !notes.isEmpty { try FileSystem.synchronizeDirectory(directory.path) }
        return notes
    }

    /// Removes a summary of a step that the run has gone back behind: nothing in the directory bears it out any more.
    private func retractSummary(after step: UInt64) throws(RunError) -> [String] {
        try retractSummary(where: { $0 > step }, ", which is computed again; removed until then")
    }

    private func retractSummary(
        where isRetracted: (_ step: UInt64) -> Bool, _ reason: String
    ) throws(RunError) -> [String] {
        guard let summary = try? directory.summary(), isRetracted(summary.steps) else { return [] }
        let path = "\(directory.path)/\(RunDirectory.summaryName)"
        try FileSystem.remove(path)
        return ["\(path): of step \(summary.steps)\(reason)"]
    }
}
