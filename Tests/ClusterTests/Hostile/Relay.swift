import Foundation
import Synchronization
import TestSupport

/// Stands between workers and a coordinator: writes down what workers say first, and lets them hear as slowly as it is told.
final class Relay: Sendable {
    private struct State {
        var connections: [RawConnection] = []
        var said: [[UInt8]] = []
        var taken = 0
        var passed = 0
        var isOver = false
    }

    /// What the threads of its connections share.
    private final class Record: Sendable { let state = Mutex(State()) }

    /// Bytes of each connection that are written down; a session of half an hour would be gigabytes.
    static let most = 2 << 20

    private let listener: RawListener
    private let record: Record

    var port: UInt16 { listener.port }

    /// - Parameter bytesPerSecond: towards the worker; nil for as fast as can be.
    init(to target: UInt16, bytesPerSecond: Int? = nil) throws {
        let record = Record()
        self.record = record
        listener = try RawListener { worker in
            guard let coordinator = try? RawConnection(port: target) else { return }
            let index = record.state.withLock { state in
                state.connections += [worker, coordinator]
                state.said.append([])
                return state.said.count - 1
            }
            Thread.detachNewThread {
                while case let bytes = worker.read(atMost: 1 << 16), !bytes.isEmpty {
                    record.state.withLock { state in
                        state.said[index] += bytes.prefix(Self.most - state.said[index].count)
                        state.taken += bytes.count
                    }
                    guard coordinator.write(bytes) else { break }
                }
                coordinator.shut()
            }
            Thread.detachNewThread {
                let piece = bytesPerSecond.map { max(1, $0 / 10) } ?? 1 << 16
                while case let bytes = coordinator.read(atMost: piece), !bytes.isEmpty, worker.write(bytes) {
                    record.state.withLock { $0.passed += bytes.count }
                    if bytesPerSecond != nil { usleep(100_000) }
                    if record.state.withLock({ $0.isOver }) { break }
                }
                worker.shut()
            }
        }
    }

    /// Bytes that workers have said so far, written down or not.
    var taken: Int { record.state.withLock { $0.taken } }

    /// What workers have said first, by connection.
    var recorded: [[UInt8]] { record.state.withLock { $0.said } }

    /// Bytes that workers could hear so far.
    var passed: Int { record.state.withLock { $0.passed } }

    func end() {
        record.state.withLock { $0.isOver = true }
        listener.end()
        for connection in record.state.withLock({ $0.connections }) { connection.shut() }
    }
}
