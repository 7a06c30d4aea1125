#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// An address that a socket binds or connects to: `tcp://host:port`, `ipc://path` or `inproc://name`.
///
/// Addresses that would be open to more than the user named are refused: every interface at once (`*`, `0.0.0.0`, `::`)
/// and the abstract local namespace (`ipc://@name`), which has no permissions.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package enum Transport: Hashable, Sendable {
        /// An IPv6 address stands without brackets. No port means any free one, which only `bind` can resolve.
        case tcp(host: String, port: UInt16?)
        case ipc(path: String)
        case inproc(name: String)
    }

    package let transport: Transport

    /// The longest path of a local socket, in bytes: `sockaddr_un.sun_path` less its terminating zero.
    package static let longestPath =
        MemoryLayout<sockaddr_un>.size - MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! - 1

    package init(_ text: String) throws(MessagingError) {
        func refuse(_ reason: String, code: Int32 = EINVAL) -> MessagingError {
            MessagingError(code: code, operation: .endpoint, message: "endpoint \"\(text)\": \(reason)")
        }
        func rest(after scheme: String) -> String? {
            text.hasPrefix(scheme) ? String(text.dropFirst(scheme.count)) : nil
        }

        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            throw refuse("it holds a control character; wanted tcp://host:port, ipc://path or inproc://name")
        }
        if let address = rest(after: "tcp://") {
            switch Self.splitTCP(address) {
            case .success(let transport): self.transport = transport
            case .failure(let fault): throw refuse(fault.reason)
            }
        } else if let path = rest(after: "ipc://") {
            if path.isEmpty { throw refuse("the path is empty; wanted ipc://path") }
            if path == "*" {
                throw refuse("a path chosen by the system is not private; wanted a path in a directory of your own")
            }
            if path.hasPrefix("@") {
                throw refuse("the abstract namespace has no permissions; wanted a path in a directory of your own")
            }
            guard path.utf8.count <= Self.longestPath else {
                throw refuse(
                    "the path has \(path.utf8.count) bytes; the system allows \(Self.longestPath)", code: ENAMETOOLONG)
            }
            transport = .ipc(path: path)
        } else if let name = rest(after: "inproc://") {
            if name.isEmpty { throw refuse("the name is empty; wanted inproc://name") }
            transport = .inproc(name: name)
        } else {
            throw refuse("unknown transport; wanted tcp://host:port, ipc://path or inproc://name")
        }
    }

    package var description: String {
        switch transport {
        case .tcp(let host, let port):
            let host = host.contains(":") ? "[\(host)]" : host
            return "tcp://\(host):\(port.map { String($0) } ?? "*")"
        case .ipc(let path): return "ipc://\(path)"
        case .inproc(let name): return "inproc://\(name)"
        }
    }

    package var isTCP: Bool { if case .tcp = transport { true } else { false } }

    /// Only this machine can reach it: `127.0.0.0/8`, `::1`, `localhost`, and every `ipc` and `inproc` endpoint.
    package var isLoopback: Bool {
        guard case .tcp(let host, _) = transport else { return true }
        if host == "localhost" { return true }
        if let address = Self.bytes(ofIPv4: host) { return address[0] == 127 }
        if let address = Self.bytes(ofIPv6: host) {
            return address.dropLast().allSatisfy { $0 == 0 } && address.last == 1
        }
        return false
    }

    /// What libzmq is told. `localhost` becomes the address it stands for: libzmq binds no names, and a host file that
    /// sends the name elsewhere must not open a socket that passed as loopback.
    var wireText: String {
        guard case .tcp("localhost", let port) = transport else { return description }
        return "tcp://127.0.0.1:\(port.map { String($0) } ?? "*")"
    }

    var isIPv6: Bool {
        guard case .tcp(let host, _) = transport else { return false }
        return host.contains(":")
    }
}

extension Endpoint {
    private struct Fault: Error { let reason: String }

    private static func splitTCP(_ address: String) -> Result<Transport, Fault> {
        guard let colon = address.lastIndex(of: ":") else {
            return .failure(Fault(reason: "there is no port; wanted tcp://host:port"))
        }
        var host = String(address[..<colon])
        let portText = address[address.index(after: colon)...]

        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard bytes(ofIPv6: host) != nil else {
                return .failure(Fault(reason: "\"\(host)\" is not an IPv6 address"))
            }
        } else {
            if host.isEmpty { return .failure(Fault(reason: "there is no host; wanted tcp://host:port")) }
            if host.contains(":") {
                return .failure(Fault(reason: "an IPv6 address stands in brackets; wanted tcp://[address]:port"))
            }
            let allowed = host.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
            if host != "*", !allowed {
                return .failure(Fault(reason: "\"\(host)\" is neither a host name nor an address"))
            }
        }
        if isShortened(host) {
            return .failure(
                Fault(reason: "\"\(host)\" is an address in a short form; wanted four numbers, as 127.0.0.1"))
        }
        if host == "*" || isUnspecified(host) {
            return .failure(Fault(reason: "\"\(host)\" is every interface of the machine; wanted the address of one"))
        }

        if portText == "*" { return .success(.tcp(host: host, port: nil)) }
        guard portText.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(portText), port > 0
        else {
            return .failure(Fault(reason: "port \"\(portText)\"; wanted 1 to 65535, or * for any free one"))
        }
        return .success(.tcp(host: host, port: port))
    }

    /// Whether it is 0.0.0.0 or ::, the latter also as what stands for the former.
    private static func isUnspecified(_ host: String) -> Bool {
        if let address = bytes(ofIPv4: host) { return address.allSatisfy { $0 == 0 } }
        guard let address = bytes(ofIPv6: host) else { return false }
        let isMapped = address[..<10].allSatisfy { $0 == 0 } && address[10...11].allSatisfy { $0 == 0xFF }
        return (isMapped ? address[12...] : address[...]).allSatisfy { $0 == 0 }
    }

    /// Whether the system takes it for an IPv4 address although it is not written as four numbers: 0, 127.1, 0x7f000001.
    private static func isShortened(_ host: String) -> Bool {
        var address = in_addr()
        let isTaken = unsafe inet_aton(host, &address) != 0
        return isTaken && bytes(ofIPv4: host) == nil
    }

    private static func bytes(ofIPv4 host: String) -> [UInt8]? {
        var address = in_addr()
        guard unsafe inet_pton(AF_INET, host, &address) == 1 else { return nil }
        return unsafe withUnsafeBytes(of: &address) { unsafe Array($0) }
    }

    private static func bytes(ofIPv6 host: String) -> [UInt8]? {
        var address = in6_addr()
        guard unsafe inet_pton(AF_INET6, host, &address) == 1 else { return nil }
        return unsafe withUnsafeBytes(of: &address) { unsafe Array($0) }
    }
}
