import Cluster
import Coordination
import Messaging
import Testing

@Suite struct `What waits to be sent to a worker` {
    @Test func `is sixty-four messages at most, and those beyond are not sent`() throws {
        let router = try Socket(.router, in: sharedContext.get(), options: .data())
        let identity = PeerIdentity(Array("a worker".utf8))
        let worker = try Socket(.dealer, in: sharedContext.get(), options: .data(identity: identity))
        try worker.connect(router.bind(Endpoint("tcp://127.0.0.1:*")))
        #expect(try worker.send([.bytes([1])], within: .seconds(10)) == .sent)
        _ = try router.receive(within: .seconds(10))

        var outbox = Outbox()
        for _ in 0..<200 {
            outbox.append(Coordination.Message(.pong, run: .none, incarnation: 1), to: WorkerID(identity.bytes))
        }
        var received = 0
        while true {
            #expect(try outbox.flush(router, at: .zero).isEmpty)
            if try worker.receive(within: .milliseconds(300)) != nil { received += 1 } else if outbox.isEmpty { break }
        }
        #expect(received == 64)
        try worker.close(linger: .zero)
        try router.close(linger: .zero)
    }
}
