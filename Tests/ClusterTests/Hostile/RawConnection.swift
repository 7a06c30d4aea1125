import Foundation

struct SocketFailure: Error {}

/// A TCP connection that speaks bytes.
final class RawConnection: @unchecked Sendable {
    let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw SocketFailure() }
        var address = Self.loopback(port)
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw SocketFailure() }
        // Nobody waits for ever.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    init(accepted descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// - Returns: false when the other end is gone.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// What has come; empty when the other end is gone.
    func read(atMost limit: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe recv(descriptor, &bytes, limit, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    /// Introduces itself and hears the answer out: libzmq takes a frame that comes before its own introduction for a part of the
    /// handshake.
    func greet() throws {
        write(ZMTP.greeting + ZMTP.ready)
        var heard = 0
        // Its greeting, and at least the beginning of the command behind it.
        while heard < 64 + 20 {
            let count = read(atMost: 4096).count
            guard count > 0 else { throw SocketFailure() }
            heard += count
        }
    }

    /// Waits until the other end is gone, or the time is up.
    func isCut(within seconds: Int) -> Bool {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var byte = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe recv(descriptor, &byte, byte.count, 0)
            if count == 0 { return true }
            if count < 0 { return errno != EAGAIN }
        }
    }

    func shut() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

/// The greeting of ZMTP 3.1 with no mechanism, and the command behind it.
enum ZMTP {
    static let greeting: [UInt8] =
        [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + Array("NULL".utf8) + [UInt8](repeating: 0, count: 48)
    static let ready: [UInt8] = {
        let command =
            [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        return [4, UInt8(command.count)] + command
    }()
}

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
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
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
