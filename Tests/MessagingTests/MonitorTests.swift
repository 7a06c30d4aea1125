import Foundation
import Messaging
import Testing
import TestSupport

@Suite struct MonitorTests {
    private static func next(_ monitor: borrowing SocketMonitor, until kind: MonitorEvent.Kind) throws -> [MonitorEvent
        .Kind]
    {
        var seen: [MonitorEvent.Kind] = []
        while let event = try monitor.next(within: patience) {
            seen.append(event.kind)
            if event.kind == kind { return seen }
        }
        Issue.record("never \(kind), only \(seen)")
        return seen
    }

    @Test(arguments: [Wire.ipc, .tcp])
    func `a peer is seen to come and to go`(_ wire: Wire) throws {
        let place = try Place(wire)
        let server = try Socket(.router, in: .shared)
        let monitor = try SocketMonitor(of: server)
        let endpoint = try server.bind(place.endpoint)
        #expect(try monitor.next() == nil)
        do {
            let client = try Socket(.dealer, in: .shared)
            let clientMonitor = try SocketMonitor(of: client)
            try client.connect(endpoint)
            #expect(try Self.next(clientMonitor, until: .handshakeSucceeded) == [.connected, .handshakeSucceeded])
            #expect(try Self.next(monitor, until: .handshakeSucceeded) == [.accepted, .handshakeSucceeded])
        }
        #expect(try Self.next(monitor, until: .disconnected) == [.disconnected])
    }

    @Test func `a frame of the largest size passes, one byte more cuts the connection`() throws {
        let place = try Place(.tcp)
        let server = try Socket(.router, in: .shared, options: .control())
        let monitor = try SocketMonitor(of: server)
        let client = try Socket(.dealer, in: .shared, options: .control())
        try client.connect(server.bind(place.endpoint))

        let largest = [UInt8](repeating: 3, count: 64 << 10)
        #expect(try client.send([.bytes(largest)], within: patience) == .sent)
        #expect(try server.message().bytes == [largest])
        #expect(try client.send([.bytes([1]), .bytes(largest + [3])]) == .sent)
        #expect(try Self.next(monitor, until: .disconnected) == [.accepted, .handshakeSucceeded, .disconnected])
        #expect(try server.receive() == nil)
    }

    @Test func `a peer that offers another mechanism fails the handshake`() throws {
        let server = try Socket(.router, in: .shared)
        let monitor = try SocketMonitor(of: server)
        guard case .tcp(_, let port?) = try server.bind(Endpoint("tcp://127.0.0.1:*")).transport else {
            throw Nothing()
        }
        let peer = try RawConnection(port: port)
        peer.write([0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + Array("CURVE".utf8) + [UInt8](repeating: 0, count: 47))
        var failure: MonitorEvent.Kind?
        while failure == nil, let event = try monitor.next(within: patience) {
            if case .handshakeFailed = event.kind { failure = event.kind }
        }
        // ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
        #expect(failure == .handshakeFailed(.violation(0x1100_0002)))
    }

    @Test func `a peer that announces a huge frame is cut off before it sends it`() throws {
        let server = try Socket(.router, in: .shared)
        let monitor = try SocketMonitor(of: server)
        guard case .tcp(_, let port?) = try server.bind(Endpoint("tcp://127.0.0.1:*")).transport else {
            throw Nothing()
        }
        let peer = try RawConnection(port: port)
        peer.write([0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + Array("NULL".utf8) + [UInt8](repeating: 0, count: 48))
        let ready = [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        peer.write([4, UInt8(ready.count)] + ready)
        _ = try Self.next(monitor, until: .handshakeSucceeded)
        peer.write([2, 0, 0, 0, 2, 0, 0, 0, 0])
        #expect(try Self.next(monitor, until: .disconnected) == [.disconnected])
        #expect(try server.receive() == nil)
    }

    @Test func `a socket works on when its monitor is gone`() throws {
        let place = try Place(.ipc)
        let server = try Socket(.router, in: .shared)
        let endpoint: Endpoint
        do {
            let monitor = try SocketMonitor(of: server)
            endpoint = try server.bind(place.endpoint)
            _ = consume monitor
        }
        for number in 0..<10 {
            let client = try Socket(.dealer, in: .shared)
            try client.connect(endpoint)
            #expect(try client.send([.bytes([UInt8(number)])], within: patience) == .sent)
            #expect(try server.message().bytes == [[UInt8(number)]])
        }
    }

    @Test func `a monitor that is not read does not hold up the traffic`() throws {
        let place = try Place(.ipc)
        let server = try Socket(.router, in: .shared)
        let monitor = try SocketMonitor(of: server)
        let endpoint = try server.bind(place.endpoint)
        // Far more events than the 1000 that libzmq queues by default on either side.
        for _ in 0..<900 {
            let client = try Socket(.dealer, in: .shared)
            try client.connect(endpoint)
            try #require(try client.send([.bytes([1])], within: patience) == .sent)
            _ = try server.message()
        }
        var events = 0
        while try monitor.next(within: .milliseconds(20)) != nil { events += 1 }
        #expect(events > 2000)
    }

    @Test func `a monitor outlives its socket and says so`() throws {
        let monitor: SocketMonitor
        do {
            let server = try Socket(.router, in: .shared)
            monitor = try SocketMonitor(of: server)
        }
        #expect(try monitor.next(within: patience)?.kind == .stopped)
    }
}
