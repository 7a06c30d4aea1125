import Messaging
import Testing

@Suite struct RoundTripTests {
    static let shapes: [[Int]] = [
        [0], [1], [0, 0], [0, 1, 0], [33, 34], [255, 256, 257], [1 << 20], [24, 1 << 20, 0, 65_537],
    ]

    private static func frames(_ sizes: [Int]) -> [[UInt8]] {
        sizes.enumerated().map { index, size in (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) } }
    }

    @Test(arguments: Wire.allCases, shapes)
    func `a message comes back as it was sent`(_ wire: Wire, _ sizes: [Int]) throws {
        let place = try Place(wire)
        let server = try Socket(.router, in: .shared, options: .data())
        let client = try Socket(.dealer, in: .shared, options: .data())
        try client.connect(server.bind(place.endpoint))
        let sent = Self.frames(sizes)

        #expect(try client.send(sent.map { .bytes($0) }, within: patience) == .sent)
        let request = try server.message()
        #expect(request.bytes == sent)
        let peer = try #require(request.sender)
        #expect(try server.send(request.frames.map { .bytes($0.bytes) }, to: peer) == .sent)
        let answer = try client.message()
        #expect(answer.bytes == sent)
        #expect(answer.sender == nil)
    }

    @Test(arguments: Wire.allCases)
    func `a message of 5000 frames arrives whole and in order`(_ wire: Wire) throws {
        let place = try Place(wire)
        let server = try Socket(.router, in: .shared)
        let client = try Socket(.dealer, in: .shared)
        try client.connect(server.bind(place.endpoint))
        let sent = (0..<5000).map { bytes(of: $0) }

        #expect(try client.send(sent.map { .bytes($0) }, within: patience) == .sent)
        #expect(try server.message(maximumFrames: 5000).bytes == sent)
    }

    @Test(arguments: Wire.allCases)
    func `5000 messages arrive in order`(_ wire: Wire) throws {
        let place = try Place(wire)
        let server = try Socket(.router, in: .shared)
        let client = try Socket(.dealer, in: .shared)
        try client.connect(server.bind(place.endpoint))
        var sent = 0
        for received in 0..<5000 {
            while sent < 5000 {
                let result = try client.send([.bytes(bytes(of: sent))], within: sent == received ? patience : .zero)
                guard result == .sent else { break }
                sent += 1
            }
            try #require(try server.message().bytes == [bytes(of: received)])
        }
    }

    @Test func `a pair wakes the other end`() throws {
        let place = try Place(.inproc)
        let one = try Socket(.pair, in: .shared)
        let other = try Socket(.pair, in: .shared)
        try other.connect(one.bind(place.endpoint))
        #expect(try one.send([.bytes([])]) == .sent)
        #expect(try other.message().bytes == [[]])
        #expect(try other.receive() == nil)
    }

    @Test func `floats keep their bits at any offset`() throws {
        let place = try Place(.tcp)
        let server = try Socket(.router, in: .shared, options: .data())
        let client = try Socket(.dealer, in: .shared, options: .data())
        try client.connect(server.bind(place.endpoint))
        let values = [Float.nan, -0.0, .leastNonzeroMagnitude, .infinity, 1.5] + (0..<20_000).map { Float($0) * 0.1 }
        let block = SharedBytes(byteCount: 3 + values.count * 4)
        block.write(values.span, at: 3)
        #expect(try client.send([.shared(block)], within: patience) == .sent)

        let frame = try server.message().frames[0]
        var copy = [Float](repeating: 7, count: values.count)
        var span = copy.mutableSpan
        frame.copyFloats(from: 3, into: &span)
        #expect(copy.map(\.bitPattern) == values.map(\.bitPattern))
        #expect(frame.withBytes { $0.byteCount } == block.byteCount)
    }

    @Test func `one part more than allowed is reported with its sender, and the next message is intact`() throws {
        let place = try Place(.ipc)
        let server = try Socket(.router, in: .shared)
        let client = try Socket(.dealer, in: .shared, options: .control(identity: PeerIdentity([7, 1])))
        try client.connect(server.bind(place.endpoint))
        #expect(try client.send([Payload](repeating: .bytes([1]), count: 5), within: patience) == .sent)
        #expect(try client.send([Payload](repeating: .bytes([2]), count: 4)) == .sent)

        guard case .overlong(let sender, _, _, let count) = try server.receive(within: patience, maximumFrames: 4)
        else {
            Issue.record("the long message was not reported")
            return
        }
        #expect(sender == PeerIdentity([7, 1]))
        #expect(count == 5)
        #expect(try server.message(maximumFrames: 4).bytes == [[2], [2], [2], [2]])
    }
}
