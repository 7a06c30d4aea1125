import Cluster
import Foundation
import Synchronization

/// Writes to a stream whose reader may take nothing: a terminal that is halted (Ctrl-S), a pipe that is full.
///
/// Whoever writes waits for the reader, until the process is asked to stop; then for a second more, and at a second request not at all.
/// The writes happen on another thread: whether one will wait cannot be told beforehand, as others write to the same stream, and a
/// terminal may be halted at any moment. Nor is the stream made non-blocking, which it would be for all processes that have it.
final class PatientWriter: Sendable {
    /// How long a reader that takes nothing is waited for once the process is to stop.
    private static let patience: Duration = .seconds(1)

    private let descriptor: Int32
    private let queue: DispatchQueue
    /// Whether somebody has lost patience and nothing was taken since.
    private let isStuck = Atomic<Bool>(false)
    /// Pieces that nobody has taken and that were dropped.
    private let dropped = Atomic<Int>(0)

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        queue = DispatchQueue(label: "lockstep.output.\(descriptor)")
    }

    /// Returns 0, or the number of the error; `ETIMEDOUT` when the reader takes nothing and the process is to stop.
    func write(_ text: String) -> Int32 {
        let piece = Piece(Array(text.utf8))
        let clock = ContinuousClock()
        let begun = clock.now
        queue.async { [self] in
            guard piece.begin() else { return }
            piece.end(Self.write(piece.bytes, to: descriptor))
            isStuck.store(false, ordering: .relaxed)
        }
        while true {
            if piece.isOver(within: .milliseconds(50)) { return piece.result }
            guard let age = StopSignal.age else { continue }
            let waited = min(age, clock.now - begun)
            guard StopSignal.isUrgent || isStuck.load(ordering: .relaxed) || waited >= Self.patience else { continue }
            isStuck.store(true, ordering: .relaxed)
            // What is being written already comes when the reader goes on.
            if piece.drop() { dropped.add(1, ordering: .relaxed) }
            return ETIMEDOUT
        }
    }

    /// How many pieces were dropped since this was asked last.
    func takeDropped() -> Int { dropped.exchange(0, ordering: .relaxed) }

    /// These were not told of after all.
    func restoreDropped(_ count: Int) { dropped.add(count, ordering: .relaxed) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Foundation.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
            }
            if count > 0 {
                done += count
            } else if errno == EAGAIN {
                // Whoever else has the stream has made it so.
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&waiting, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }

    /// What is to be written at a time.
    private final class Piece: Sendable {
        private enum State {
            case waiting
            case begun
            case dropped
            case over(Int32)
        }

        let bytes: [UInt8]
        private let state = Mutex(State.waiting)
        private let over = DispatchSemaphore(value: 0)

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        /// Whether it is still to be written.
        func begin() -> Bool {
            state.withLock { state in
                guard case .waiting = state else { return false }
                state = .begun
                return true
            }
        }

        func end(_ number: Int32) {
            state.withLock { $0 = .over(number) }
            over.signal()
        }

        /// Leaves it out, unless its writing has begun.
        func drop() -> Bool {
            state.withLock { state in
                guard case .waiting = state else { return false }
                state = .dropped
                return true
            }
        }

        func isOver(within time: DispatchTimeInterval) -> Bool { over.wait(timeout: .now() + time) == .success }

        var result: Int32 {
            state.withLock { state in
                if case .over(let number) = state { number } else { 0 }
            }
        }
    }
}
