import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5)))
struct `A relay` {
    @Test func `passes everything on and writes down the beginning only`() throws {
        let heard = Mutex(0)
        let target = try RawListener { connection in
            while case let bytes = connection.read(atMost: 1 << 16), !bytes.isEmpty {
                heard.withLock { $0 += bytes.count }
            }
        }
        let relay = try Relay(to: target.port)
        let worker = try RawConnection(port: relay.port)
        let content = (0..<3 * Relay.most).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8) }
        #expect(worker.write(content))
        worker.shut()
        for _ in 0..<20_000 where heard.withLock({ $0 }) < content.count { usleep(1000) }
        #expect(relay.taken == content.count)
        #expect(relay.recorded == [Array(content.prefix(Relay.most))])
        relay.end()
        target.end()
    }
}
