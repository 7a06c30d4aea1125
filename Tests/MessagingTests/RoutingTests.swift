import Foundation
import Messaging
import Synchronization
import Testing

@Suite struct RoutingTests {
    @Test(arguments: Wire.allCases)
    func `a router answers the peer that it names`(_ wire: Wire) throws {
        let place = try Place(wire)
        let server = try Socket(.router, in: .shared)
        let names = [
            PeerIdentity([1]), PeerIdentity(Array("worker".utf8)), PeerIdentity([UInt8](repeating: 255, count: 255)),
        ]
        let endpoint = try server.bind(place.endpoint)
        let first = try Socket(.dealer, in: .shared, options: .control(identity: names[0]))
        let second = try Socket(.dealer, in: .shared, options: .control(identity: names[1]))
        let third = try Socket(.dealer, in: .shared, options: .control(identity: names[2]))
        let unnamed = try Socket(.dealer, in: .shared)
        try first.connect(endpoint)
        try second.connect(endpoint)
        try third.connect(endpoint)
        try unnamed.connect(endpoint)
        for client in 0..<4 {
            let frames: [Payload] = [.bytes([UInt8(client)])]
            let result =
                switch client {
                case 0: try first.send(frames, within: patience)
                case 1: try second.send(frames, within: patience)
                case 2: try third.send(frames, within: patience)
                default: try unnamed.send(frames, within: patience)
                }
            #expect(result == .sent)
        }
        var senders: [UInt8: PeerIdentity] = [:]
        for _ in 0..<4 {
            let message = try server.message()
            senders[message.frames[0].bytes[0]] = message.sender
        }
        #expect(senders[0] == names[0] && senders[1] == names[1] && senders[2] == names[2])
        let chosen = try #require(senders[3])
        #expect(chosen.bytes.count == 5 && chosen.bytes[0] == 0)

        for (client, name) in senders { #expect(try server.send([.bytes([client])], to: name) == .sent) }
        #expect(try first.message().bytes == [[0]])
        #expect(try second.message().bytes == [[1]])
        #expect(try third.message().bytes == [[2]])
        #expect(try unnamed.message().bytes == [[3]])
    }

    @Test func `a message for an unknown peer is unroutable and leaves nothing behind`() throws {
        let place = try Place(.ipc)
        let server = try Socket(.router, in: .shared)
        let name = PeerIdentity([9])
        let client = try Socket(.dealer, in: .shared, options: .control(identity: name))
        try client.connect(server.bind(place.endpoint))
        #expect(try client.send([.bytes([])], within: patience) == .sent)
        _ = try server.message()

        for _ in 0..<3 {
            #expect(try server.send([.bytes([1]), .bytes([2])], to: PeerIdentity([8])) == .unroutable)
        }
        #expect(try server.send([.bytes([3]), .bytes([4])], to: name) == .sent)
        #expect(try client.message().bytes == [[3], [4]])
        #expect(try client.receive() == nil)
    }

    @Test func `a dealer without a peer has no room and leaves nothing behind`() throws {
        let place = try Place(.ipc)
        let client = try Socket(.dealer, in: .shared)
        try client.connect(place.endpoint)
        #expect(try client.send([.bytes([1]), .bytes([2])]) == .wouldBlock)
        #expect(try client.send([.bytes([1]), .bytes([2])], within: .milliseconds(2)) == .wouldBlock)

        let server = try Socket(.router, in: .shared)
        _ = try server.bind(place.endpoint)
        #expect(try client.send([.bytes([3]), .bytes([4])], within: patience) == .sent)
        #expect(try server.message().bytes == [[3], [4]])
        #expect(try server.receive() == nil)
    }

    @Test(arguments: [Wire.inproc, .ipc])
    func `a router past the high water of a peer says so and loses nothing`(_ wire: Wire) throws {
        let place = try Place(wire)
        let server = try Socket(.router, in: .shared, options: .data(highWater: 2))
        let name = PeerIdentity([5])
        let client = try Socket(.dealer, in: .shared, options: .data(highWater: 2, identity: name))
        try client.connect(server.bind(place.endpoint))
        #expect(try client.send([.bytes([])], within: patience) == .sent)
        _ = try server.message()

        let ballast = [UInt8](repeating: 0, count: 256 << 10)
        var sent = 0
        while sent < 1000, try server.send([.bytes([UInt8(sent % 251)]), .bytes(ballast)], to: name) == .sent {
            sent += 1
        }
        #expect(sent >= 2 && sent < 1000)
        #expect(try server.send([.bytes([0]), .bytes(ballast)], to: name, within: .milliseconds(2)) != .unroutable)

        var received = 0
        while case .message(let message)? = try client.receive(within: received < sent ? patience : .zero) {
            #expect(message.frames.count == 2 && message.frames[1].byteCount == ballast.count)
            if received < sent { #expect(message.frames[0].bytes == [UInt8(received % 251)]) }
            received += 1
        }
        #expect(received >= sent)
        #expect(try eventually { try server.send([.bytes([1])], to: name) == .sent })
    }

    @Test func `a peer that goes in the middle of messages never leaves half of one`() throws {
        let place = try Place(.ipc)
        let endpoint = place.endpoint
        let frameCount = 300
        let lives = 40
        let finished = Finished()

        // A router that lives for a few messages at a time.
        let routers = Runner {
            defer { finished.set() }
            var whole = 0
            var broken = 0
            for life in 0..<lives {
                let server = try Socket(.router, in: .shared)
                _ = try server.bind(endpoint)
                for _ in 0...(life % 3) {
                    guard case .message(let message)? = try server.receive(within: patience, maximumFrames: 10_000)
                    else { break }
                    let numbers = Set(message.frames.map(\.bytes))
                    if message.frames.count == frameCount && numbers.count == 1 { whole += 1 } else { broken += 1 }
                }
            }
            return (whole, broken)
        }
        var options = SocketOptions.control()
        options.reconnectInterval = .milliseconds(1)
        let client = try Socket(.dealer, in: .shared, options: options)
        try client.connect(endpoint)
        var number: UInt8 = 0
        while !finished.isSet {
            number &+= 1
            _ = try client.send([Payload](repeating: .bytes([number]), count: frameCount), within: .milliseconds(5))
        }
        // Messages of many frames may be on their way, and the peer has just gone: see `Socket.send`.
        try client.close(linger: .seconds(1))
        let (whole, broken) = try routers.join()
        #expect(broken == 0)
        #expect(whole >= lives)
    }
}

final class Finished: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}
