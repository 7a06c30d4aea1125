import Foundation
import Synchronization
import Training

/// Writes down every change and lets it happen.
final class Recorder: FileObserver {
    private let list = Mutex<[FileOperation]>([])
    var operations: [FileOperation] { list.withLock { $0 } }

    func number(for operation: FileOperation) -> Int32 {
        list.withLock { $0.append(operation) }
        return 0
    }
}

/// Refuses one change, or all from there on but removals, as a disk does that is full.
final class Refuser: FileObserver {
    private let seen = Mutex(0)
    private let first: Int
    private let lasts: Bool
    private let error: Int32

    /// - Parameter first: how many changes are let happen before.
    init(after first: Int, lasts: Bool, error: Int32) {
        (self.first, self.lasts, self.error) = (first, lasts, error)
    }

    var count: Int { seen.withLock { $0 } }

    func number(for operation: FileOperation) -> Int32 {
        let index = seen.withLock { seen in
            defer { seen += 1 }
            return seen
        }
        if case .remove = operation { return 0 }
        return index == first || (lasts && index > first) ? error : 0
    }
}

/// Holds every fsync of a file within a checkpoint until it is let go.
final class Holder: FileObserver {
    private let gate = DispatchSemaphore(value: 0)
    private let isHeld = Mutex(true)
    private let waiting = Mutex(0)

    var waited: Int { waiting.withLock { $0 } }

    func release() {
        isHeld.withLock { $0 = false }
        gate.signal()
    }

    func release(after seconds: Double) {
        Thread.detachNewThread { [self] in
            Thread.sleep(forTimeInterval: seconds)
            release()
        }
    }

    func number(for operation: FileOperation) -> Int32 {
        if case .synchronize(let path) = operation, path.contains(".writing-"), isHeld.withLock({ $0 }) {
            waiting.withLock { $0 += 1 }
            gate.wait()
            gate.signal()
        }
        return 0
    }
}
