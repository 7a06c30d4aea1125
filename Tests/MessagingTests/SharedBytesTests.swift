import Foundation
import Messaging
import Synchronization
import Testing

/// Memory that counts how often it is freed.
@safe
private final class Memory {
    let buffer: UnsafeMutableRawBufferPointer
    private let freed: Counter

    init(byteCount: Int, freed: Counter) {
        unsafe buffer = .allocate(byteCount: byteCount, alignment: 64)
        unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0xA5)
        self.freed = freed
    }

    deinit {
        unsafe buffer.deallocate()
        freed.add()
    }

    var block: SharedBytes { unsafe SharedBytes(borrowing: UnsafeRawBufferPointer(buffer), of: self) }
}

private final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .acquiring) }
    func add() { count.add(1, ordering: .releasing) }
}

@Suite struct SharedBytesTests {
    static let size = 1 << 20

    @Test(arguments: Wire.allCases)
    func `the owner of a frame that was received is released exactly once`(_ wire: Wire) throws {
        let freed = Counter()
        let context = try Context()
        do {
            let place = try Place(wire)
            let server = try Socket(.router, in: context, options: .data())
            let client = try Socket(.dealer, in: context, options: .data())
            try client.connect(server.bind(place.endpoint))
            do {
                let block = Memory(byteCount: Self.size, freed: freed).block
                let half = Self.size / 2
                let frames: [Payload] = [.bytes([1]), .shared(block, 0..<half), .shared(block, half..<Self.size)]
                #expect(try client.send(frames, within: patience) == .sent)
            }
            #expect(freed.value == 0)
            let message = try server.message()
            #expect(message.frames[1].bytes + message.frames[2].bytes == [UInt8](repeating: 0xA5, count: Self.size))
        }
        context.terminate()
        #expect(freed.value == 1)
    }

    @Test(arguments: [Wire.ipc, .tcp])
    func `owners are released exactly once when the socket closes over queued messages`(_ wire: Wire) throws {
        let freed = Counter()
        let context = try Context()
        var sent = 0
        do {
            let place = try Place(wire)
            let server = try Socket(.router, in: context, options: .data())
            let client = try Socket(.dealer, in: context, options: .data(highWater: 16))
            try client.connect(server.bind(place.endpoint))
            var result = SendResult.sent
            while result == .sent, sent < 500 {
                let block = Memory(byteCount: Self.size, freed: freed).block
                result = try client.send([.bytes([1]), .shared(block)], within: sent == 0 ? patience : .zero)
                sent += 1
            }
            #expect(result == .wouldBlock)
            #expect(freed.value < sent)
        }
        context.terminate()
        #expect(freed.value == sent)
    }

    @Test func `a block that found no room is idle at once`() throws {
        let place = try Place(.ipc)
        let client = try Socket(.dealer, in: .shared, options: .data())
        try client.connect(place.endpoint)
        let server = try Socket(.router, in: .shared, options: .data())
        let block = SharedBytes(byteCount: Self.size)
        #expect(try client.send([.shared(block)]) == .wouldBlock)
        #expect(block.isIdle)
        #expect(try server.send([.shared(block)], to: PeerIdentity([1])) == .unroutable)
        #expect(block.isIdle)
    }

    @Test func `a block is busy until the last of its peers has it`() throws {
        let place = try Place(.inproc)
        let server = try Socket(.router, in: .shared, options: .data())
        let endpoint = try server.bind(place.endpoint)
        let one = try Socket(.dealer, in: .shared, options: .data(identity: PeerIdentity([1])))
        let other = try Socket(.dealer, in: .shared, options: .data(identity: PeerIdentity([2])))
        try one.connect(endpoint)
        try other.connect(endpoint)
        let block = SharedBytes(byteCount: Self.size)
        block.withMutableBytes { $0.storeBytes(of: 0x0102_0304, toByteOffset: 12, as: UInt32.self) }
        for peer in [PeerIdentity([1]), PeerIdentity([2])] {
            #expect(try eventually { try server.send([.shared(block)], to: peer) == .sent })
        }
        #expect(!block.isIdle)
        // Within a process the frame is the block: it stays busy while the frame lives.
        do { #expect(try one.message().frames[0].bytes.count == Self.size) }
        #expect(!block.isIdle)
        do {
            let frame = try other.message().frames[0]
            #expect(Array(frame.bytes[12..<16]) == [4, 3, 2, 1])
            #expect(!block.isIdle)
        }
        #expect(eventually { block.isIdle })
    }

    @Test func `a small range is copied and leaves the block idle`() throws {
        let place = try Place(.inproc)
        let one = try Socket(.pair, in: .shared)
        let other = try Socket(.pair, in: .shared)
        try other.connect(one.bind(place.endpoint))
        let block = SharedBytes(byteCount: Self.size)
        #expect(try one.send([.shared(block, 5..<(5 + (64 << 10) - 1))]) == .sent)
        #expect(block.isIdle)
        #expect(try one.send([.shared(block, 5..<(5 + (64 << 10)))]) == .sent)
        #expect(!block.isIdle)
        _ = try other.message()
        _ = try other.message()
        #expect(eventually { block.isIdle })
    }

    @Test func `a block is reused a thousand times and arrives as it was each time`() throws {
        let place = try Place(.tcp)
        let server = try Socket(.router, in: .shared, options: .data())
        let client = try Socket(.dealer, in: .shared, options: .data())
        try client.connect(server.bind(place.endpoint))
        let block = SharedBytes(byteCount: 64 << 10)
        for turn in 0..<1000 {
            block.withMutableBytes { $0.storeBytes(of: turn, toByteOffset: (64 << 10) - 8, as: Int.self) }
            try #require(try client.send([.shared(block)], within: patience) == .sent)
            try #require(try server.message().bytes[0].suffix(8) == bytes(of: turn)[...])
            try #require(eventually { block.isIdle })
        }
    }

    @Test func `writing to a block in flight ends the process`() async {
        await #expect(processExitsWith: .failure) {
            let one = try Socket(.pair, in: .shared)
            let other = try Socket(.pair, in: .shared)
            try other.connect(one.bind(Endpoint("inproc://busy")))
            let block = SharedBytes(byteCount: 1 << 20)
            _ = try one.send([.shared(block)])
            block.write([1].span)
            _ = try other.receive()
        }
    }
}
