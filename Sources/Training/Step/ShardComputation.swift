internal import CProcesses
package import Coordination
internal import Dispatch
internal import Foundation
internal import Synchronization
internal import TensorCore

/// Computes some shards of the step at hand and adds nothing: it reads parameters and batch, and may be done on any thread for as long
/// as nobody writes them.
package struct ShardComputation: Sendable {
    private let parts: Int
    private let compute: @Sendable (Int) -> [SubtreeAnswer]

    /// - Parameter compute: a part, counted from 0; parts are computed at once.
    package init(parts: Int, compute: @escaping @Sendable (Int) -> [SubtreeAnswer]) {
        self.parts = parts
        self.compute = compute
    }

    /// Every part on a thread of its own.
    package func answers() -> [SubtreeAnswer] { answers { _ in } }

    /// - Parameter begins: told the number of each thread.
    private func answers(_ begins: @Sendable (Int32) -> Void) -> [SubtreeAnswer] {
        let collected = Mutex<[SubtreeAnswer]>([])
        DispatchQueue.concurrentPerform(iterations: parts) { part in
            FloatingPointEnvironment.prepareThread()
            begins(cpr_thread())
            let answers = compute(part)
            collected.withLock { $0 += answers }
        }
        return collected.withLock { $0 }
    }

    /// The same beside the calling thread, which looks up now and then.
    ///
    /// What is given up goes on until the process ends, where nothing else wants the processor: nobody may write parameters any more.
    ///
    /// - Parameter isGivenUp: asked every few milliseconds.
    /// - Returns: nil when it was given up.
    package func answers(unless isGivenUp: () throws -> Bool) rethrows -> [SubtreeAnswer]? {
        let outcome = Outcome()
        let thread = Thread { outcome.finish(with: self.answers { outcome.note($0) }) }
        thread.stackSize = 8 << 20
        thread.start()
        while true {
            if let answers = outcome.wait() { return answers }
            guard try isGivenUp() else { continue }
            outcome.giveUp()
            return nil
        }
    }

    private final class Outcome: Sendable {
        private let answers = Mutex<[SubtreeAnswer]?>(nil)
        private let threads = Mutex<[Int32]>([])
        private let isThere = DispatchSemaphore(value: 0)
        private static let patience = 5

        func note(_ thread: Int32) { threads.withLock { $0.append(thread) } }

        func giveUp() { for thread in threads.withLock({ $0 }) { cpr_lower_thread(thread) } }

        func finish(with answers: [SubtreeAnswer]) {
            self.answers.withLock { $0 = answers }
            isThere.signal()
        }

        /// Nil when it takes longer.
        func wait() -> [SubtreeAnswer]? {
            _ = isThere.wait(timeout: .now() + .milliseconds(Self.patience))
            return answers.withLock { $0 }
        }
    }
}

extension StepTrainer {
    /// Computes some shards in this process and adds their answers.
    package func compute(_ range: ShardRange, threads: Int) {
        updateThreads = threads
        add(computation(of: range, threads: threads).answers())
    }

    /// Adds answers to the step at hand that were computed in this process.
    package func add(_ answers: [SubtreeAnswer]) {
        for answer in answers {
            do { try add(answer) } catch { fatalError("compute: \(error)") }
        }
    }
}
