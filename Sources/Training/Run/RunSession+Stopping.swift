/// What is saved, and what is said, when a run is asked to stop.
///
/// A stop is to be over within 5 s. What can be done for that is done: a checkpoint of an earlier step that is being written is given
/// up where the new one takes its place and an older one is there until then, and none is written where to compute the steps again takes
/// less time than to write it and it would not be over in time. One that takes longer for all that is written to its end: the steps in
/// it are worth more than the time, and whoever does not think so ends it with a second signal.
extension RunSession {
    /// How long a stop is to take at most, from the signal on.
    static let stopTime: Duration = .seconds(5)

    /// Begins to save the last step of a run that was asked to stop, if that is worth it.
    ///
    /// - Parameter deadline: when the stop is to be over.
    func beginSavingStopped(by deadline: ContinuousClock.Instant) throws {
        guard lastSaved != trainer.step, trainer.step > 0 else { return }
        if let writing = writer.writing, try !isDispensable(writing) {
            // How long that takes says how long the next will.
            try finishSaving(by: deadline)
        }
        let bytes = try checkpointFiles().reduce(0) { $0 + $1.byteCount }
        let saving = writer.speed.map { Duration.seconds(Double(bytes) / $0) }
        let kept = writer.writing?.step ?? writer.newest
        if let saving, let kept, let step = pace.recentStep,
            !LastCheckpoint.isWorthIt(saving, left: deadline - .now, steps: trainer.step - kept, each: step)
        {
            try finishSaving(by: deadline)
            // What the summary is to bear out must be there after a power cut.
            try held.synchronizeLines()
            observer.note(
                "step \(trainer.step) is not saved: that would take about \(Self.seconds(saving)), longer than to compute steps \(kept + 1) to \(trainer.step) again after the checkpoint of step \(kept)"
            )
            return
        }
        if let writing = writer.writing {
            writing.meter.giveUp()
            observer.note(
                "the checkpoint of step \(writing.step), which was being written, is given up for that of step \(trainer.step)"
            )
        }
        try save()
    }

    /// Returns when nothing is being written of a run that was asked to stop, and says what it waits for when that takes longer than it
    /// is to take.
    ///
    /// - Parameter deadline: when the stop is to be over.
    func finishSaving(by deadline: ContinuousClock.Instant) throws {
        let clock = ContinuousClock()
        while let writing = writer.writing {
            writer.wait(atMost: .milliseconds(100))
            let (done, total) = (writing.meter.written, writing.meter.total)
            // The first pieces go to memory, and say little of the disk.
            guard writing.meter.age > .seconds(1) || clock.now >= deadline else { continue }
            let whole = writing.meter.age * (Double(total) / Double(max(1, done)))
            guard clock.now - writing.meter.age + whole > deadline else { continue }
            let kept = writer.newest.map { "the run goes on from step \($0) then" } ?? "the run begins again then"
            observer.note(
                "step \(writing.step) is still being saved, \(done >> 20) of \(total >> 20) MiB so far; a second signal ends it at once, and \(kept)"
            )
            break
        }
        try writer.wait()
    }

    /// Whether a checkpoint that is being written is none that the run keeps as its best, and not its first.
    private func isDispensable(_ writing: CheckpointWriter.Writing) throws -> Bool {
        // A second signal, or a kill, while the next is written is to cost what came after the one before, not the whole run.
        guard writer.newest != nil else { return false }
        guard let loss = writing.validationLoss, !loss.isNaN else { return true }
        return try held.checkpoints.leastValidationLoss().map { loss >= $0 } ?? false
    }

    private static func seconds(_ duration: Duration) -> String {
        duration < .seconds(1) ? "1 s" : "\(Int((duration / .seconds(1)).rounded(.up))) s"
    }
}

/// Whether a run that is to stop writes one more checkpoint.
package enum LastCheckpoint {
    /// - Parameters:
    ///   - saving: how long it takes to write it, by the one before.
    ///   - left: until the stop is to be over.
    ///   - steps: that are computed again without it.
    ///   - step: how long each of them takes.
    package static func isWorthIt(
        _ saving: Duration, left: Duration, steps: UInt64, each step: Duration
    ) -> Bool {
        saving <= left || saving <= step * Double(steps)
    }
}
