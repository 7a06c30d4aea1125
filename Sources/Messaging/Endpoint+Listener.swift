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
            var address = sockaddr_un(path)
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

    /// What lies at the path of a local endpoint and is no socket, as "a directory": libzmq would remove a file to bind there.
    package var obstacle: String? {
        guard case .ipc(let path) = transport else { return nil }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        return switch status.st_mode & S_IFMT {
        case S_IFSOCK: nil
        case S_IFDIR: "a directory"
        case S_IFREG: "a file"
        case S_IFLNK: "a symbolic link"
        default: "something"
        }
    }

    /// Why a socket is not to bind to this address, in the system's words where it would refuse; nil when it may.
    ///
    /// Tried and let go: whoever makes something before binding asks here first. Libzmq takes a local socket over without a word.
    package var bindingObjection: String? {
        // An address of another machine is not connected to: that is no answer to whether this one can bind it.
        switch bindingError {
        case 0 where !hasListener: nil
        case EADDRINUSE where !hasListener: "another process has the port"
        case 0, EADDRINUSE: "another process listens there"
        case EADDRNOTAVAIL: "not an address of this machine"
        case let number: unsafe String(cString: strerror(number))
        }
    }

    /// The number of the error with which the system refuses to bind a socket to this address of TCP; 0 when it would.
    private var bindingError: Int32 {
        guard case .tcp(let host, let port) = transport else { return 0 }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Self.stream
        unsafe hints.ai_flags = AI_NUMERICHOST
        var found: UnsafeMutablePointer<addrinfo>?
        let address = host == "localhost" ? "127.0.0.1" : host
        guard unsafe getaddrinfo(address, port.map { String($0) } ?? "0", &hints, &found) == 0, let first = unsafe found
        else { return EADDRNOTAVAIL }
        defer { unsafe freeaddrinfo(found) }
        let descriptor = unsafe socket(first.pointee.ai_family, Self.stream, 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        // As libzmq does it: connections that are being closed are no obstacle.
        var yes: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return unsafe bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 ? 0 : errno
    }

    #if canImport(Glibc)
        static let stream = Int32(SOCK_STREAM.rawValue)
    #else
        static let stream = SOCK_STREAM
    #endif

    private static func accepts(_ address: UnsafeMutableRawPointer, size: Int, family: Int32) -> Bool {
        unsafe refusal(at: address, size: size, family: family, waits: true) == 0
    }

    /// What the system says to whoever connects to an address: 0 when somebody listens, else the number of the error.
    ///
    /// - Parameter waits: for a listener whose queue is full, as one that is stopped may have.
    static func refusal(at address: UnsafeMutableRawPointer, size: Int, family: Int32, waits: Bool) -> Int32 {
        let descriptor = socket(family, stream, 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        if !waits { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
        let address = unsafe address.assumingMemoryBound(to: sockaddr.self)
        return unsafe connect(descriptor, address, socklen_t(size)) == 0 ? 0 : errno
    }
}
