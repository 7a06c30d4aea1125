internal import Foundation
internal import Synchronization

/// Writes checkpoints on a thread of its own while training goes on, one at a time.
final class CheckpointWriter: Sendable {
    private let run: HeldRun
    private let progress = WritingProgress()

    init(_ run: HeldRun) { self.run = run }

    /// Whether the last one is still being written.
    var isBusy: Bool { progress.isBusy }

    /// Begins to write a checkpoint, once the one before is done.
    ///
    /// - Parameter files: whose numbers nobody changes before they are written; see `HeldRun.writeCheckpoint` for the rest.
    /// - Throws: what the one before has failed with.
    func write(
        _ files: [CheckpointFile], step: UInt64, ledgerHead: String, keep: Int, validationLoss: Double?
    ) throws(RunError) {
        try progress.begin()
        let order = Order(
            run: run, files: files, step: step, ledgerHead: ledgerHead, keep: keep, validationLoss: validationLoss)
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

    /// One checkpoint, and the run for as long as it is not written.
    private final class Order: @unchecked Sendable {
        private var run: HeldRun?
        private let files: [CheckpointFile]
        private let step: UInt64
        private let ledgerHead: String
        private let keep: Int
        private let validationLoss: Double?

        init(
            run: HeldRun, files: [CheckpointFile], step: UInt64, ledgerHead: String, keep: Int,
            validationLoss: Double?
        ) {
            (self.run, self.files, self.step, self.ledgerHead) = (run, files, step, ledgerHead)
            (self.keep, self.validationLoss) = (keep, validationLoss)
        }

        func carryOut() -> RunError? {
            defer { run = nil }
            do throws(RunError) {
                try run?.writeCheckpoint(
                    files, step: step, ledgerHead: ledgerHead, keep: keep, validationLoss: validationLoss)
                return nil
            } catch { return error }
        }
    }
}

/// Between whoever wants checkpoints written and the thread that writes one.
private final class WritingProgress: Sendable {
    private struct State {
        var isBusy = false
        var failure: RunError?
    }

    private let state = Mutex(State())
    private let isFree = DispatchSemaphore(value: 1)

    var isBusy: Bool { state.withLock { $0.isBusy } }

    func begin() throws(RunError) {
        try wait()
        isFree.wait()
        state.withLock { $0.isBusy = true }
    }

    func end(_ failure: RunError?) {
        state.withLock { $0 = State(failure: failure) }
        isFree.signal()
    }

    func check() throws(RunError) {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    func wait() throws(RunError) {
        isFree.wait()
        isFree.signal()
        try check()
    }
}
