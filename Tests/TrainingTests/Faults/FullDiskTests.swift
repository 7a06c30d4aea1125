import Foundation
import Testing
import Training

@Suite struct `A disk that refuses` {
    /// Trains a small run to its end under an observer and says what came of it.
    private func attempt(_ place: borrowing RunPlace, _ name: String, _ observer: (any FileObserver)?) -> (any Error)? {
        do {
            try FileFaults.$observer.withValue(observer) {
                let configuration = try place.configuration(steps: 7)
                let session =
                    FileManager.default.fileExists(atPath: "\(place.path)/\(name)/run.json")
                    ? try place.resume(name) : try place.begin(name, configuration)
                try session.train(upTo: 7)
            }
            return nil
        } catch { return error }
    }

    @Test(arguments: [(ENOSPC, true), (ENOSPC, false), (EIO, false), (EROFS, true)])
    func `any one write ends the run with one line, and what is there goes on to the same bits`(
        error: Int32, lasts: Bool
    ) throws {
        let place = try RunPlace()
        let counter = Refuser(after: .max, lasts: false, error: 0)
        #expect(attempt(place, "whole", counter) == nil)
        let ledger = try place.bytes("whole/ledger.jsonl")
        let metrics = try place.bytes("whole/metrics.jsonl")
        #expect(counter.count > 80)
        var refused = 0
        // Every place, or every seventh where the same is tried with another error.
        for index in stride(from: 0, to: counter.count, by: error == ENOSPC ? 1 : 7) {
            let name = "run-\(index)"
            if let failure = attempt(place, name, Refuser(after: index, lasts: lasts, error: error)) {
                refused += 1
                let known = failure as? RunError
                #expect(known != nil && known?.message.contains("\n") == false, "place \(index): \(failure)")
                if error == ENOSPC { #expect(known?.code == .noSpace, "place \(index): \(failure)") }
                if error == EROFS { #expect(known?.code == .denied, "place \(index): \(failure)") }
                // A run that has begun has nothing of the user's to find fault with.
                if FileManager.default.fileExists(atPath: "\(place.path)/\(name)/run.json") {
                    #expect(known?.isBadInput == false, "place \(index): \(failure)")
                }
            }
            #expect(attempt(place, name, nil) == nil, "place \(index)")
            #expect(try place.bytes("\(name)/ledger.jsonl") == ledger, "place \(index)")
            #expect(try place.bytes("\(name)/metrics.jsonl") == metrics, "place \(index)")
            try FileManager.default.removeItem(atPath: "\(place.path)/\(name)")
        }
        #expect(refused > 10)
    }

    @Test func `never a step waits for: training goes on while a checkpoint is brought to the disk`() throws {
        let place = try RunPlace()
        let whole = try place.begin("whole", try place.configuration(steps: 8)).train(upTo: 8)
        let holder = Holder()
        try FileFaults.$observer.withValue(holder) {
            let session = try place.begin("held", try place.configuration(steps: 8))
            // Checkpoints are due after steps 3, 6 and 8.
            session.run(from: 0, upTo: 5)
            #expect(session.trainer.step == 5)
            while holder.waited == 0 { usleep(1000) }
            #expect(try session.held.directory.checkpointSteps().isEmpty)
            holder.release()
            let summary = try session.train(upTo: 8)
            #expect(summary.parametersSHA256 == whole.parametersSHA256 && summary.ledgerHead == whole.ledgerHead)
            #expect(try session.held.directory.checkpointSteps() == [8, 6, 3])
            let saved = try session.held.directory.checkpoint(step: 3)
            #expect(
                try saved.bytes("parameters.safetensors")
                    == place.bytes("whole/checkpoints/step-00000003/parameters.safetensors"))
        }
    }
}

extension RunSession {
    fileprivate func run(from first: UInt64, upTo step: UInt64) {
        while trainer.step < step {
            trainer.beginStep()
            trainer.compute(trainer.wholeStep, threads: 1)
            do { try stepDone(trainer.finishStep())?({ false }) } catch {
                Issue.record("step \(trainer.step): \(error)")
                return
            }
        }
    }
}
