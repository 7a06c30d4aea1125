import Foundation
import Testing
import Training

/// What is saved when a run is asked to stop.
@Suite struct StoppingTests {
    @Test func `a stop gives up the checkpoint of an earlier step that is being written`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        configuration.validationEvery = 5
        try place.begin("run", configuration).train(upTo: 3)
        let holder = Holder()
        let listener = Hearer { if $0.contains("is given up") { holder.release() } }
        let session = try place.resume("run", observer: listener)
        try FileFaults.$observer.withValue(holder) {
            try session.step(upTo: 7)
            _ = try session.finish(stopped: .zero)
        }
        #expect(
            listener.notes == [
                "the checkpoint of step 6, which was being written, is given up for that of step 7"
            ])
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/run/checkpoints").sorted()
                == ["step-00000003", "step-00000007"])
        #expect(try place.bytes("run/latest") == Array("7\n".utf8))
    }

    @Test func `the first that the run has is written to its end, and the last step after it`() throws {
        let place = try RunPlace()
        let holder = Holder()
        let listener = Hearer { _ in }
        let configuration = try place.configuration()
        let session = try place.begin("run", configuration, observer: listener)
        try FileFaults.$observer.withValue(holder) {
            // Not validated: it is none that may be the best.
            try session.step(upTo: 4)
            holder.release(after: 0.1)
            _ = try session.finish(stopped: .zero)
        }
        #expect(listener.notes == [])
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/run/checkpoints").sorted()
                == ["step-00000003", "step-00000004"])
    }

    @Test func `a wait for the checkpoint before that of the last step is said too`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let holder = Holder()
        let listener = Hearer { if $0.contains("step 3 is still being saved") { holder.release() } }
        let session = try place.begin("run", configuration, observer: listener)
        try FileFaults.$observer.withValue(holder) {
            try session.step(upTo: 4)
            // Where nothing is said the test is to end all the same.
            holder.release(after: 20)
            _ = try session.finish(stopped: .seconds(6))
        }
        let sentence = try #require(listener.notes.first)
        #expect(sentence.hasPrefix("step 3 is still being saved, "), "\(sentence)")
        #expect(sentence.hasSuffix("; a second signal ends it at once, and the run begins again then"))
    }

    @Test func `so is one for a checkpoint after which none is written`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let holder = Holder()
        let listener = Hearer { if $0.contains("step 6 is still being saved") { holder.release() } }
        let session = try place.begin("run", configuration, observer: listener)
        try FileFaults.$observer.withValue(SlowDisk()) {
            try session.step(upTo: 3)
            place.awaitCheckpoint()
        }
        try FileFaults.$observer.withValue(holder) {
            try session.step(upTo: 7)
            holder.release(after: 20)
            _ = try session.finish(stopped: .seconds(6))
        }
        #expect(listener.notes.count == 2)
        let sentence = try #require(listener.notes.first)
        #expect(sentence.hasPrefix("step 6 is still being saved, "), "\(sentence)")
        #expect(sentence.hasSuffix("; a second signal ends it at once, and the run goes on from step 3 then"))
        #expect(listener.notes.last?.hasPrefix("step 7 is not saved: ") == true)
        #expect(try place.bytes("run/latest") == Array("6\n".utf8))
    }

    @Test func `one that may be the best is written to its end, and the last step after it`() throws {
        let place = try RunPlace()
        var configuration = try place.configuration()
        configuration.validationEvery = 3
        let holder = Holder()
        let listener = Hearer { _ in }
        let session = try place.begin("run", configuration, observer: listener)
        try FileFaults.$observer.withValue(holder) {
            try session.step(upTo: 4)
            holder.release(after: 0.1)
            _ = try session.finish(stopped: .zero)
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/run/checkpoints").sorted()
                == ["step-00000003", "step-00000004"])
    }

    @Test func `steps that are computed again sooner than they are saved are not saved once time is over`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let listener = Hearer { _ in }
        try FileFaults.$observer.withValue(SlowDisk()) {
            let session = try place.begin("run", configuration, observer: listener)
            try session.step(upTo: 3)
            place.awaitCheckpoint()
            try session.step(upTo: 4)
            _ = try session.finish(stopped: .seconds(4))
        }
        let sentence = try #require(listener.notes.first)
        #expect(sentence.hasPrefix("step 4 is not saved: that would take about "))
        #expect(
            sentence.hasSuffix(
                " s, longer than to compute steps 4 to 4 again after the checkpoint of step 3"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/run/checkpoints") == ["step-00000003"])
        let again = try place.resume("run")
        #expect(again.trainer.step == 3)
        let summary = try again.train(upTo: 12)
        let whole = try place.begin("whole", configuration).train(upTo: 12)
        #expect(summary.parametersSHA256 == whole.parametersSHA256)
        #expect(summary.ledgerHead == whole.ledgerHead)
    }

    @Test(arguments: [
        (saving: 4, left: 5, steps: 1, each: 1, true), (6, 5, 5, 1, false), (6, 5, 6, 1, true), (6, -1, 1000, 0, false),
    ])
    func `a last checkpoint is written where it is in time, or cheaper than the steps`(
        saving: Int, left: Int, steps: UInt64, each: Int, isWritten: Bool
    ) {
        #expect(
            LastCheckpoint.isWorthIt(.seconds(saving), left: .seconds(left), steps: steps, each: .seconds(each))
                == isWritten)
    }

    @Test func `a checkpoint that takes longer than a stop is to take is written, and said`() throws {
        let place = try RunPlace()
        let configuration = try place.configuration()
        let holder = Holder()
        let listener = Hearer { if $0.contains("still being saved") { holder.release() } }
        let session = try place.begin("run", configuration, observer: listener)
        try FileFaults.$observer.withValue(holder) {
            try session.step(upTo: 2)
            _ = try session.finish(stopped: .seconds(6))
        }
        let sentence = try #require(listener.notes.first)
        #expect(sentence.hasPrefix("step 2 is still being saved, "))
        #expect(sentence.hasSuffix("; a second signal ends it at once, and the run begins again then"))
        #expect(try place.bytes("run/latest") == Array("2\n".utf8))
    }
}

/// Hears what a session says, and does something about it.
final class Hearer: ProgressObserver {
    private(set) var notes: [String] = []
    private let heard: (String) -> Void
    init(_ heard: @escaping (String) -> Void) { self.heard = heard }
    func progressed(_ progress: RunProgress) {}
    func note(_ sentence: String) {
        notes.append(sentence)
        heard(sentence)
    }
    func close() {}
}

/// Takes two seconds for each file of a checkpoint.
private struct SlowDisk: FileObserver {
    func number(for operation: FileOperation) -> Int32 {
        if case .synchronize(let path) = operation, path.hasSuffix(".safetensors") { sleep(2) }
        return 0
    }
}

extension RunSession {
    /// Trains up to `step` and leaves the run open.
    func step(upTo step: UInt64, shouldStop: @escaping @Sendable () -> Bool = { false }) throws {
        while trainer.step < step {
            trainer.beginStep()
            trainer.compute(trainer.wholeStep, threads: 1)
            try stepDone(trainer.finishStep())?(shouldStop)
        }
    }
}

extension RunPlace {
    /// Returns when the first checkpoint of `run` is there, and the session knows.
    fileprivate func awaitCheckpoint() {
        while (try? bytes("run/latest")) == nil { usleep(10_000) }
        // The thread that wrote it says so a moment later.
        usleep(100_000)
    }
}
