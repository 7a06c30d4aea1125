import Cluster
import Foundation
import Messaging
import Testing

@Suite struct HandshakeWatchTests {
    private func watch(hasKeys: Bool = true) throws -> HandshakeWatch {
        HandshakeWatch(endpoint: try Endpoint("tcp://127.0.0.1:7000"), hasKeys: hasKeys, isChild: false)
    }

    /// Connections that end in the same way ten times a second.
    private func verdict(
        of watch: inout HandshakeWatch, after seconds: Int, _ failure: MonitorEvent.HandshakeFailure
    ) -> String? {
        for tenth in 0..<seconds * 10 {
            watch.note(.connected, at: .milliseconds(100 * tenth))
            watch.note(.handshakeFailed(failure), at: .milliseconds(100 * tenth + 50))
            if let verdict = watch.verdict(at: .milliseconds(100 * tenth + 60)) { return verdict }
        }
        return nil
    }

    @Test(arguments: [ECONNRESET, ETIMEDOUT, EHOSTUNREACH])
    func `connections that break say nothing about keys, however many do`(number: Int32) throws {
        var watch = try watch()
        #expect(verdict(of: &watch, after: 100, .system(number)) == nil)
    }

    @Test func `a server that closes every connection within its handshake has another key, but not before 7 s`() throws
    {
        var watch = try watch()
        #expect(verdict(of: &watch, after: 7, .system(EPIPE)) == nil)
        #expect(verdict(of: &watch, after: 8, .system(EPIPE))?.contains("another key or none") == true)
    }

    @Test func `a few connections that are closed among others that break decide nothing`() throws {
        var watch = try watch()
        #expect(verdict(of: &watch, after: 20, .system(ECONNRESET)) == nil)
        for second in 20..<23 {
            watch.note(.connected, at: .seconds(second))
            watch.note(.handshakeFailed(.system(EPIPE)), at: .seconds(second))
        }
        #expect(watch.verdict(at: .seconds(24)) == nil)
    }

    @Test func `a refusal ends who was never welcomed; who was is told of it, and a new connection is needed`() throws {
        var watch = try watch()
        watch.isEstablished = true
        watch.note(.connected, at: .zero)
        watch.note(.handshakeFailed(.refused(400)), at: .zero)
        #expect(watch.verdict(at: .seconds(60)) == nil && watch.isGivenUp)
        #expect(watch.rebuff?.contains("does not admit the key") == true)
        watch.note(.handshakeSucceeded, at: .seconds(1))
        #expect(watch.rebuff == nil)
        watch.isEstablished = false
        watch.note(.handshakeFailed(.refused(400)), at: .seconds(2))
        #expect(watch.verdict(at: .seconds(2))?.contains("does not admit the key") == true)
    }

    @Test(arguments: [false, true])
    func `a server that says nothing until libzmq gives it up is none of theirs`(hasKeys: Bool) throws {
        var watch = try watch(hasKeys: hasKeys)
        watch.note(.connected, at: .zero)
        watch.note(.handshakeFailed(.system(EAGAIN)), at: .seconds(5))
        watch.note(.connected, at: .milliseconds(5100))
        #expect(watch.verdict(at: .seconds(7)) == nil && watch.verdict(at: .milliseconds(7100)) != nil)
    }

    @Test func `without keys, one who shakes hands and answers no hello is no coordinator`() throws {
        var watch = try watch(hasKeys: false)
        watch.note(.connected, at: .zero)
        watch.note(.handshakeSucceeded, at: .seconds(1))
        #expect(watch.verdict(at: .seconds(8)) == nil && watch.isUndecided(at: .seconds(8)))
        #expect(watch.verdict(at: .milliseconds(8100))?.contains("does not answer a worker's hello") == true)
        // Whoever has said anything is one; the next connection begins anew.
        watch.hasHeard = true
        #expect(watch.verdict(at: .seconds(60)) == nil)
        watch.hasHeard = false
        watch.note(.disconnected, at: .seconds(60))
        #expect(watch.verdict(at: .seconds(61)) == nil)
        watch.note(.connected, at: .seconds(61))
        watch.note(.handshakeSucceeded, at: .seconds(62))
        #expect(watch.verdict(at: .seconds(69)) == nil && watch.verdict(at: .seconds(70)) != nil)
    }

    @Test func `with keys, whoever has shaken hands is the coordinator, and is waited for`() throws {
        var watch = try watch()
        watch.note(.connected, at: .zero)
        watch.note(.handshakeSucceeded, at: .zero)
        #expect(watch.verdict(at: .seconds(100)) == nil && !watch.isUndecided(at: .seconds(1)))
    }
}
