import Foundation
import TestSupport

/// Stands between workers and a coordinator: writes down what workers say, and lets them hear as slowly as it is told.
final class Relay: @unchecked Sendable {
    let port: UInt16
    private let listener: Int32
    private let lock = NSLock()
    private var connections: [RawConnection] = []
    private var said: [[UInt8]] = []
    private var isOver = false

    /// - Parameter bytesPerSecond: towards the worker; nil for as fast as can be.
    init(to target: UInt16, bytesPerSecond: Int? = nil) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = RawConnection.loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard isListening else { throw SocketFailure() }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                let worker = RawConnection(accepted: descriptor)
                guard let coordinator = try? RawConnection(port: target) else { continue }
                let index = locked {
                    connections += [worker, coordinator]
                    said.append([])
                    return said.count - 1
                }
                Thread.detachNewThread { [self] in
                    while case let bytes = worker.read(atMost: 1 << 16), !bytes.isEmpty {
                        locked { said[index] += bytes }
                        guard coordinator.write(bytes) else { break }
                    }
                    coordinator.shut()
                }
                Thread.detachNewThread { [self] in
                    let piece = bytesPerSecond.map { max(1, $0 / 10) } ?? 1 << 16
                    while case let bytes = coordinator.read(atMost: piece), !bytes.isEmpty, worker.write(bytes) {
                        if bytesPerSecond != nil { usleep(100_000) }
                        if locked({ isOver }) { break }
                    }
                    worker.shut()
                }
            }
        }
    }

    /// What workers have said so far, by connection.
    var recorded: [[UInt8]] { locked { said } }

    func end() {
        locked { isOver = true }
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in locked({ connections }) { connection.shut() }
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body()
    }
}
