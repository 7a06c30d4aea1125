import Cluster
import Coordination
import Messaging
import TestSupport
import Testing

@Suite struct `What waits to be sent to a worker` {
    @Test func `is sixty-four messages at most, and those beyond are not sent`() throws {
        let router = try Socket(.router, in: sharedContext.get(), options: .data())
        let worker = try Socket(.dealer, in: sharedContext.get(), options: .data())
        try worker.connect(router.bind(Endpoint("tcp://127.0.0.1:*")))
        #expect(try worker.send([.bytes([1])], within: .seconds(10)) == .sent)
        guard case .message(let message)? = try router.receive(within: .seconds(10)), let sender = message.sender else {
            throw SocketFailure()
        }

        var outbox = Outbox()
        for _ in 0..<200 {
            outbox.append(Coordination.Message(.pong, run: .none, incarnation: 1), to: WorkerID(sender.bytes))
        }
        while !outbox.isEmpty { #expect(try outbox.flush(router, at: .zero).isEmpty) }
        var received = 0
        while try worker.receive(within: .milliseconds(300)) != nil { received += 1 }
        #expect(received == 64)
        try worker.close(linger: .zero)
        try router.close(linger: .zero)
    }
}
