import Foundation
import Messaging
import Testing
import TestSupport

/// A server socket on loopback, and what watches over its connections.
private struct GuardedServer: ~Copyable {
    let socket: Socket
    let watch: ConnectionGuard
    let endpoint: Endpoint

    init(_ limits: ConnectionLimits, options: SocketOptions = .data()) throws {
        let socket = try Socket(.router, in: .shared, options: options)
        let watch = ConnectionGuard(limits)
        try watch.watch(socket, isEncrypted: options.security != nil)
        try watch.start(in: .shared)
        // Together: a value of this kind is made in one go or not at all.
        let endpoint = try socket.bind(Endpoint("tcp://127.0.0.1:*"))
        (self.endpoint, self.watch) = (endpoint, watch)
        self.socket = socket
    }

    var port: UInt16 { if case .tcp(_, let port?) = endpoint.transport { port } else { 0 } }
    var waiting: Int { watch.waiting().values.reduce(0, +) }
}

private let wide = ConnectionLimits(waitingBytes: 64 << 20, strangersBytes: 64 << 20, connections: 1000)

@Suite struct ConnectionGuardTests {
    /// Sends messages of all lengths; when all of them are taken only the handshake is left of what came.
    private func exchange(_ server: borrowing GuardedServer, _ client: borrowing Socket) throws {
        let seed = ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"].flatMap { UInt64($0) } ?? 7
        var state = seed
        var ends: [Int] = []
        for round in 0..<2000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let length = [0, 1, 221, 222, 223, 254, 255, 256, 8192, 70_000][Int(state >> 33) % 10]
            let frames = [Payload](repeating: .bytes([UInt8](repeating: 1, count: length)), count: 1 + round % 3)
            #expect(try client.send(frames, within: patience) == .sent)
            #expect(try server.socket.message().frames.count == frames.count)
            if round % 500 == 499 { ends.append(server.waiting) }
        }
        #expect(ends.allSatisfy { $0 == ends[0] && (1..<1000).contains($0) }, "LOCKSTEP_TEST_SEED=\(seed): \(ends)")
        // What is not taken waits.
        #expect(try client.send([.bytes([UInt8](repeating: 1, count: 500_000))], within: patience) == .sent)
        #expect(eventually { server.waiting > 500_000 })
    }

    @Test func `what waits of a connection is known to the byte`() throws {
        let server = try GuardedServer(wide)
        let client = try Socket(.dealer, in: .shared)
        try client.connect(server.endpoint)
        try exchange(server, client)
    }

    @Test func `and under encryption`() throws {
        let keys = try CurvePair.generate()
        var options = SocketOptions.data()
        options.security = .server(keys)
        let desk = try AdmissionDesk.opened()
        let server = try GuardedServer(wide, options: options)
        options = .data()
        options.security = .client(try .generate(), server: keys.publicKey)
        let client = try Socket(.dealer, in: .shared, options: options)
        try client.connect(server.endpoint)
        #expect(try desk.answer(within: patience) { _ in true }?.isAdmitted == true)
        try exchange(server, client)
    }

    /// Sends messages of one frame as long as may be; the server takes none, then one, then all.
    private func fill(_ server: borrowing GuardedServer, _ client: borrowing Socket, _ options: SocketOptions) throws {
        let length = options.maximumMessageBytes
        let longest = SharedBytes(byteCount: length)
        func send() throws -> Bool { try client.send([.shared(longest)]) == .sent }
        #expect(try client.send([.bytes([1])], within: patience) == .sent)
        #expect(try server.socket.message().bytes == [[1]])
        var (sent, taken, most) = (0, 0, 0)
        for isOneTaken in [false, true] {
            if isOneTaken {
                #expect(try server.socket.message().frames[0].byteCount == length)
                taken += 1
            }
            for isFetched in [false, true] {
                if isFetched {
                    // A ROUTER that is asked fetches one.
                    var poller = Poller()
                    let slot = poller.add(server.socket)
                    #expect(try poller.wait(within: patience)?[slot].contains(.readable) == true)
                }
                var quiet = 0
                while quiet < 50 {
                    quiet = try send() ? 0 : quiet + 1
                    sent += quiet == 0 ? 1 : 0
                    usleep(2000)
                }
            }
            most = max(most, server.waiting)
        }
        // As many as are allowed for, and no room beyond what lies around them.
        let frames = options.receiveHighWater + 2
        #expect(most > frames * length && most < options.waitingBytes)
        while taken < sent {
            #expect(try server.socket.message().frames[0].byteCount == length)
            taken += 1
        }
        #expect(try server.watch.takeNews().cuts.isEmpty)
    }

    private func limits(_ options: SocketOptions) -> ConnectionLimits {
        ConnectionLimits(waitingBytes: options.waitingBytes, strangersBytes: 64 << 20, connections: 1000)
    }

    @Test(arguments: [1, 2, 4])
    func `whoever sends messages of one frame is not cut, however much waits`(highWater: Int) throws {
        let options = SocketOptions.data(highWater: highWater)
        let server = try GuardedServer(limits(options), options: options)
        let client = try Socket(.dealer, in: .shared)
        try client.connect(server.endpoint)
        try fill(server, client, options)
    }

    @Test func `a message that does not end is cut, and its connection with it; others go on`() throws {
        let server = try GuardedServer(
            ConnectionLimits(waitingBytes: 2 << 20, strangersBytes: 64 << 20, connections: 1000))
        let client = try Socket(.dealer, in: .shared)
        try client.connect(server.endpoint)
        let peer = try RawConnection(port: server.port)
        try peer.greet()
        // Each says that more follow.
        let frame: [UInt8] = [3, 0, 0, 0, 0, 0, 1, 0, 0] + [UInt8](repeating: 0, count: 1 << 16)
        var sent = 0
        while sent < 4096, peer.write(frame) { sent += 1 }
        #expect(sent < 4096)
        let news = try server.watch.takeNews()
        guard case .waitingBytes(let count)? = news.cuts.first?.reason else {
            Issue.record("\(sent) frames went out, and \(news)")
            return
        }
        #expect(news.cuts.count == 1 && count > 2 << 20 && news.cuts[0].peer.hasPrefix("127.0.0.1:"), "\(news)")
        #expect(try client.send([.bytes([1])], within: patience) == .sent)
        #expect(try server.socket.message().bytes == [[1]])
    }

    @Test func `strangers together may hold so much, and who holds most is cut`() throws {
        let server = try GuardedServer(
            ConnectionLimits(waitingBytes: 8 << 20, strangersBytes: 1 << 20, connections: 1000))
        let small = try RawConnection(port: server.port)
        try small.greet()
        small.write([1, 200] + [UInt8](repeating: 0, count: 100))
        #expect(eventually { server.waiting > 100 })
        let peers = try (0..<3).map { _ in try RawConnection(port: server.port) }
        for peer in peers {
            try peer.greet()
            peer.write([3, 0, 0, 0, 0, 0, 8, 0, 0] + [UInt8](repeating: 0, count: 500_000))
        }
        #expect(eventually { peers.count(where: \.isCut) == 1 })
        #expect(eventually { server.waiting < 1 << 20 })
        #expect(!small.isCut && peers.count(where: \.isCut) == 1)
    }

    @Test func `of very many cuts the first are told, and all are counted by what they were for`() throws {
        let server = try GuardedServer(ConnectionLimits(waitingBytes: 500, strangersBytes: 8 << 20, connections: 1000))
        let client = try Socket(.dealer, in: .shared)
        try client.connect(server.endpoint)
        #expect(try client.send([.bytes([1])], within: patience) == .sent)
        let connection = try #require(try server.socket.message().connection)
        #expect(eventually { server.watch.waiting()[connection] != nil })
        server.watch.dismiss(connection)
        var counts: [ConnectionCut.Kind: Int] = [:]
        #expect(
            eventually {
                counts = (try? server.watch.takeNews().counts) ?? [:]
                return !counts.isEmpty
            })
        #expect(counts == [.dismissed: 1])
        let peers = try (0..<300).map { _ in try RawConnection(port: server.port) }
        for peer in peers {
            try peer.greet()
            // A message that does not end.
            peer.write([1, 255] + [UInt8](repeating: 0, count: 255) + [1, 255] + [UInt8](repeating: 0, count: 250))
        }
        #expect(eventually { peers.allSatisfy(\.isCut) })
        let news = try server.watch.takeNews()
        #expect(news.cuts.count == 256 && news.counts == [.waitingBytes: 300], "\(news.cuts.count) \(news.counts)")
        #expect(ConnectionCut.Kind.waitingBytes.rawValue == "waiting_bytes")
    }

    @Test func `of too many connections those that say nothing go before the oldest, which is within its handshake`()
        throws
    {
        let server = try GuardedServer(
            ConnectionLimits(waitingBytes: 8 << 20, strangersBytes: 8 << 20, connections: 10))
        let slow = try RawConnection(port: server.port)
        slow.write(Array(ZMTP.greeting.prefix(10)))
        let first = try (0..<9).map { _ in try RawConnection(port: server.port) }
        // Longer than a word may take.
        usleep(300_000)
        let others = try (0..<6).map { _ in try RawConnection(port: server.port) }
        var cuts: [ConnectionCut] = []
        #expect(
            eventually {
                cuts += (try? server.watch.takeNews().cuts) ?? []
                return cuts.count == 6
            })
        #expect(cuts.allSatisfy { if case .connections = $0.reason { true } else { false } })
        // They find the connection broken, not closed: that says nothing about keys.
        #expect(first.prefix(6).allSatisfy { $0.isBroken })
        #expect(!slow.isCut && first.suffix(3).allSatisfy { !$0.isCut } && others.allSatisfy { !$0.isCut })
    }

    @Test func `a crowd from one address makes room before others that say as much`() throws {
        var limits = ConnectionLimits(waitingBytes: 8 << 20, strangersBytes: 8 << 20, connections: 10)
        limits.ofOneAddress = 4
        let server = try GuardedServer(limits)
        let others = try (2..<6).map { try RawConnection(port: server.port, from: UInt32(0x7F00_0000 + $0)) }
        for other in others { other.write([0xFF]) }
        let crowd = try (0..<12).map { _ in
            let connection = try RawConnection(port: server.port)
            connection.write([0xFF])
            return connection
        }
        #expect(eventually { crowd.count(where: \.isCut) == 6 })
        #expect(others.allSatisfy { !$0.isCut })
    }

    @Test func `of too many connections the oldest go, but none whose owner is recognised`() throws {
        let server = try GuardedServer(
            ConnectionLimits(waitingBytes: 8 << 20, strangersBytes: 8 << 20, connections: 10))
        let client = try Socket(.dealer, in: .shared)
        try client.connect(server.endpoint)
        #expect(try client.send([.bytes([1])], within: patience) == .sent)
        let connection = try #require(try server.socket.message().connection)
        #expect(eventually { server.watch.waiting()[connection] != nil })
        server.watch.recognise(connection, as: PeerIdentity([1]))
        let peers = try (0..<30).map { _ in try RawConnection(port: server.port) }
        #expect(eventually { peers.count(where: \.isCut) == 21 })
        // Those that came last stay, one of the ten being the client's.
        #expect(peers.prefix(15).allSatisfy(\.isCut) && peers.suffix(5).allSatisfy { !$0.isCut })
        #expect(try client.send([.bytes([2])], within: patience) == .sent)
        let again = try server.socket.message()
        #expect(again.bytes == [[2]] && again.connection == connection)
        let news = try server.watch.takeNews()
        #expect(
            news.cuts.allSatisfy { if case .connections = $0.reason { true } else { false } } && news.cuts.count == 21)
    }
}
