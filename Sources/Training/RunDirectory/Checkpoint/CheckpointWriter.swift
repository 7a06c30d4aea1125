internal import Foundation
internal import Synchronization

/// Writes checkpoints on a thread of its own while training goes on, one at a time.
final class CheckpointWriter: Sendable {
    private let run: HeldRun
    private let progress: WritingProgress

    /// A checkpoint that is being written.
    struct Writing: Sendable {
        let step: UInt64
        let validationLoss: Double?
        let meter: WritingMeter
    }

    /// - Parameter step: of the newest checkpoint that is there; nil when there is none.
    init(_ run: HeldRun, newest step: UInt64?) {
        self.run = run
        progress = WritingProgress(newest: step)
    }

    /// Whether the last one is still being written.
    var isBusy: Bool { writing != nil }
    /// The one that is being written; nil when none is.
    var writing: Writing? { progress.state.writing }
    /// The step of the last one that is there whole; nil when there is none.
    var newest: UInt64? { progress.state.newest }
    /// Bytes a second of the last one, with all that is done for one; nil before there was any.
    var speed: Double? { progress.state.speed }

    /// Begins to write a checkpoint, once the one before is done.
    ///
    /// - Parameter files: whose numbers nobody changes before they are written; see `HeldRun.writeCheckpoint` for the rest.
    /// - Throws: what the one before has failed with.
    func write(
        _ files: [CheckpointFile], step: UInt64, ledgerHead: String, keep: Int, validationLoss: Double?
    ) throws(RunError) {
        let meter = WritingMeter(total: files.reduce(0) { $0 + $1.byteCount })
        let writing = Writing(step: step, validationLoss: validationLoss, meter: meter)
        try progress.begin(writing)
        let order = Order(run: run, files: files, writing: writing, ledgerHead: ledgerHead, keep: keep)
        let observer = FileFaults.observer
        let thread = Thread { [progress] in
            // The run must not be held by this thread any more when somebody hears that it is done.
            progress.end(FileFaults.$observer.withValue(observer) { order.carryOut() })
        }
        thread.name = "checkpoint"
        thread.start()
    }

    /// Throws what the last one has failed with.
    func check() throws(RunError) { try progress.check() }

    /// Returns when nothing is being written.
    func wait() throws(RunError) { try progress.wait() }

    /// Waits until nothing is being written, but not for longer than that.
    func wait(atMost duration: Duration) { progress.wait(atMost: duration) }

    /// One checkpoint, and the run for as long as it is not written.
    private final class Order: @unchecked Sendable {
        private var run: HeldRun?
        private let files: [CheckpointFile]
        private let writing: Writing
        private let ledgerHead: String
        private let keep: Int

        init(run: HeldRun, files: [CheckpointFile], writing: Writing, ledgerHead: String, keep: Int) {
            (self.run, self.files, self.writing) = (run, files, writing)
            (self.ledgerHead, self.keep) = (ledgerHead, keep)
        }

        func carryOut() -> Result<Void, RunError> {
            defer { run = nil }
            do throws(RunError) {
                try run?.writeCheckpoint(
                    files, step: writing.step, ledgerHead: ledgerHead, keep: keep,
                    validationLoss: writing.validationLoss, writing.meter)
                return .success(())
            } catch { return .failure(error) }
        }
    }
}

/// Between whoever wants checkpoints written and the thread that writes one.
private final class WritingProgress: Sendable {
    struct State {
        var writing: CheckpointWriter.Writing?
        var newest: UInt64?
        var speed: Double?
        var failure: RunError?
    }

    private let shared: Mutex<State>
    private let isFree = DispatchSemaphore(value: 1)

    init(newest step: UInt64?) { shared = Mutex(State(newest: step)) }

    var state: State { shared.withLock { $0 } }

    func begin(_ writing: CheckpointWriter.Writing) throws(RunError) {
        try wait()
        isFree.wait()
        shared.withLock { $0.writing = writing }
    }

    func end(_ outcome: Result<Void, RunError>) {
        shared.withLock { state in
            defer { state.writing = nil }
            guard let writing = state.writing else { return }
            switch outcome {
            case .success:
                state.newest = writing.step
                state.speed = Double(writing.meter.total) / max(writing.meter.age / .seconds(1), 1e-6)
            case .failure(let error):
                // One that nobody wanted any more has not failed.
                if !writing.meter.isGivenUp { state.failure = error }
            }
        }
        isFree.signal()
    }

    func check() throws(RunError) {
        if let failure = state.failure { throw failure }
    }

    func wait() throws(RunError) {
        isFree.wait()
        isFree.signal()
        try check()
    }

    func wait(atMost duration: Duration) {
        let nanoseconds = max(0, duration / .nanoseconds(1))
        if isFree.wait(timeout: .now() + .nanoseconds(Int(min(nanoseconds, 1e15)))) == .success { isFree.signal() }
    }
}
