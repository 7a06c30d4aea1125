package import Foundation

package struct SocketFailure: Error {
    package init() {}
}

/// A TCP connection that speaks bytes.
package final class RawConnection: @unchecked Sendable {
    package let descriptor: Int32

    /// - Parameter host: the address that it comes from, one of this machine.
    package init(port: UInt16, from host: UInt32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SocketFailure() }
        if let host {
            var own = Self.loopback(0)
            own.sin_addr.s_addr = host.bigEndian
            let isBound = unsafe withUnsafePointer(to: &own) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isBound else { throw SocketFailure() }
        }
        var address = Self.loopback(port)
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw SocketFailure() }
        // Nobody waits for ever.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        for option in [SO_SNDTIMEO, SO_RCVTIMEO] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    package init(accepted descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { close(descriptor) }

    package static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// - Returns: false when the other end is gone.
    @discardableResult
    package func write(_ bytes: [UInt8]) -> Bool {
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
    package func read(atMost limit: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe recv(descriptor, &bytes, limit, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    /// Introduces itself and hears the answer out: libzmq takes a frame that comes before its own introduction for a part of the
    /// handshake.
    package func greet() throws {
        write(ZMTP.greeting + ZMTP.ready)
        var heard = 0
        // Its greeting, and at least the beginning of the command behind it.
        while heard < 64 + 20 {
            let count = read(atMost: 4096).count
            guard count > 0 else { throw SocketFailure() }
            heard += count
        }
    }

    /// Whether the other end has gone.
    package var isCut: Bool {
        var byte: UInt8 = 0
        while true {
            let count = unsafe recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT))
            if count == 0 { return true }
            if count < 0 { return errno != EAGAIN }
        }
    }

    /// Waits until the other end is gone, or the time is up.
    package func isCut(within seconds: Int) -> Bool {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var byte = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe recv(descriptor, &byte, byte.count, 0)
            if count == 0 { return true }
            if count < 0 { return errno != EAGAIN }
        }
    }

    /// Waits for the end of the connection; whether it was broken, not closed.
    package var isBroken: Bool {
        var byte: UInt8 = 0
        while true {
            let count = unsafe recv(descriptor, &byte, 1, 0)
            if count <= 0 { return count < 0 && errno == ECONNRESET }
        }
    }

    package func shut() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

/// What a peer says first in ZMTP 3.1, with no mechanism or with keys.
package enum ZMTP {
    package static let greeting: [UInt8] =
        [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + Array("NULL".utf8) + [UInt8](repeating: 0, count: 48)
    /// The same with keys.
    package static let curveGreeting = greeting[..<12] + Array("CURVE".utf8) + [UInt8](repeating: 0, count: 47)
    /// A client's first word under CURVE, of the right form: the rest is a key, a nonce and a box (rfc.zeromq.org/spec/26).
    package static func curveHello(_ random: () -> UInt8) -> [UInt8] {
        [4, 200, 5] + Array("HELLO".utf8) + [1, 0] + [UInt8](repeating: 0, count: 72) + (0..<120).map { _ in random() }
    }
    package static let ready: [UInt8] = {
        let command =
            [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        return [4, UInt8(command.count)] + command
    }()
}
