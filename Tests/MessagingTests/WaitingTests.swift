import Foundation
import Messaging
import Testing

@Suite struct WaitingTests {
    @Test(arguments: [Duration.zero, .nanoseconds(1), .milliseconds(3), .seconds(-1)])
    func `a wait in vain gives nil`(_ duration: Duration) throws {
        let place = try Place(.ipc)
        let server = try Socket(.router, in: .shared)
        _ = try server.bind(place.endpoint)
        var poller = Poller()
        _ = poller.add(server)
        #expect(try poller.wait(within: duration) == nil)
        #expect(try server.receive(within: duration) == nil)
        let client = try Socket(.dealer, in: .shared)
        #expect(try client.send([.bytes([1])], within: duration) == .wouldBlock)
    }

    @Test func `a poller names the sockets that are ready`() throws {
        let place = try Place(.ipc)
        let control = try Socket(.router, in: .shared)
        let data = try Socket(.router, in: .shared)
        _ = try data.bind(Endpoint("tcp://127.0.0.1:*"))
        let client = try Socket(.dealer, in: .shared)
        var poller = Poller()
        let onControl = poller.add(control)
        let onData = poller.add(data)
        let onClient = poller.add(client, for: [])
        try client.connect(control.bind(place.endpoint))
        #expect(try client.send([.bytes([4])], within: patience) == .sent)

        let ready = try #require(try poller.wait(within: patience))
        #expect(ready[onControl] == .readable)
        #expect(ready[onData] == [])
        #expect(ready[onClient] == [])
        let peer = try #require(try control.message().sender)
        #expect(try poller.wait(within: .zero) == nil)

        poller.watch(onClient, for: [.readable, .writable])
        #expect(try #require(try poller.wait(within: patience))[onClient] == .writable)
        #expect(try control.send([.bytes([5])], to: peer) == .sent)
        poller.watch(onClient, for: .readable)
        #expect(try #require(try poller.wait(within: patience))[onClient] == .readable)
        #expect(try client.message().bytes == [[5]])
    }

    @Test func `polling a socket that is closed is an error`() throws {
        var poller = Poller()
        do {
            let socket = try Socket(.pair, in: .shared)
            _ = poller.add(socket)
        }
        do {
            _ = try poller.wait(within: .zero)
            Issue.record("a closed socket was polled")
        } catch {
            #expect(error.code == ENOTSOCK)
        }
    }

    @Test(arguments: ["poll", "receive", "send"])
    func `a signal ends a wait with nothing`(_ call: String) throws {
        _ = signal(SIGUSR1) { _ in }
        let thread = ThreadNumber()
        let finished = Finished()
        let released = Finished()
        let waiter = Runner {
            // The thread lives until nobody signals it any more.
            defer { while !released.isSet { usleep(100) } }
            defer { finished.set() }
            // Threads that come of a dispatch queue block all signals.
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            unsafe sigaddset(&signals, SIGUSR1)
            unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            let socket = try Socket(.dealer, in: .shared)
            thread.value = pthread_self()
            switch call {
            case "poll":
                var poller = Poller()
                _ = poller.add(socket)
                return try poller.wait(within: nil) == nil
            case "receive": return try socket.receive(within: .seconds(600)) == nil
            default: return try socket.send([.bytes([1])], within: .seconds(600)) == .wouldBlock
            }
        }
        // The signal may come before the wait, and is then without effect.
        let interrupted = eventually {
            if let number = thread.value { pthread_kill(number, SIGUSR1) }
            return finished.isSet
        }
        released.set()
        try #require(interrupted)
        #expect(try waiter.join())
    }
}

private final class ThreadNumber: @unchecked Sendable {
    private let lock = NSLock()
    private var number: pthread_t?
    var value: pthread_t? {
        get { lock.withLock { number } }
        set { lock.withLock { number = newValue } }
    }
}
