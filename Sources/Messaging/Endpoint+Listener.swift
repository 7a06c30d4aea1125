#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

extension Endpoint {
    /// Whether somebody on this machine accepts connections there now.
    ///
    /// libzmq removes the file of a local socket before it binds, and with it the reach of whoever listened on it.
    package var hasListener: Bool {
        switch transport {
        case .inproc, .tcp(_, nil): return false
        case .ipc(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
                for (index, byte) in path.utf8.enumerated() where index < place.count - 1 { unsafe place[index] = byte }
            }
            return unsafe Self.accepts(&address, size: MemoryLayout<sockaddr_un>.size, family: AF_UNIX)
        case .tcp(let host, let port?):
            var hints = unsafe addrinfo()
            unsafe hints.ai_socktype = Self.stream
            var found: UnsafeMutablePointer<addrinfo>?
            guard unsafe getaddrinfo(host, String(port), &hints, &found) == 0, let first = unsafe found else {
                return false
            }
            defer { unsafe freeaddrinfo(found) }
            return unsafe Self.accepts(
                first.pointee.ai_addr, size: Int(first.pointee.ai_addrlen), family: first.pointee.ai_family)
        }
    }

    #if canImport(Glibc)
        private static let stream = Int32(SOCK_STREAM.rawValue)
    #else
        private static let stream = SOCK_STREAM
    #endif

    private static func accepts(_ address: UnsafeMutableRawPointer, size: Int, family: Int32) -> Bool {
        let descriptor = socket(family, stream, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return unsafe connect(descriptor, address.assumingMemoryBound(to: sockaddr.self), socklen_t(size)) == 0
    }
}
