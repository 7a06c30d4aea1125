internal import Foundation
internal import Synchronization

/// A port of loopback whose connections speak bytes.
package final class RawListener: Sendable {
    package let port: UInt16
    private let descriptor: Int32
    private let accepted = Mutex(0)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - take: given each connection, on one thread; the connection ends when nobody holds it any more.
    package init(port: UInt16 = 0, _ take: @escaping @Sendable (RawConnection) -> Void) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        descriptor = listener
        var (address, yes) = (RawConnection.loopback(port), Int32(1))
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard isListening else { throw SocketFailure() }
        self.port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in
            while case let connection = accept(listener, nil, nil), connection >= 0 {
                accepted.withLock { $0 += 1 }
                take(RawConnection(accepted: connection))
            }
            close(listener)
            ended.signal()
        }
    }

    /// How many have connected.
    package var connections: Int { accepted.withLock { $0 } }

    /// Returns when the port is free. Called once.
    package func end() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        ended.wait()
    }
}
