import Foundation
import Messaging
import Testing

@Suite struct LifetimeTests {
    @Test func `a context ends once its sockets are closed, whatever they had queued`() throws {
        let context = try Context(ioThreads: 2)
        do {
            let nobody = try PrivateDirectory()
            var options = SocketOptions.control()
            options.immediate = false
            let one = try Socket(.dealer, in: context, options: options)
            try one.connect(nobody.endpoint("nobody"))
            for _ in 0..<100 { #expect(try one.send([.bytes([1]), .bytes([2])]) == .sent) }
            let server = try Socket(.router, in: context)
            _ = try server.bind(nobody.endpoint("server"))
        }
        context.terminate()
        context.terminate()
        do {
            _ = try Socket(.dealer, in: context)
            Issue.record("a socket was made in a context that is over")
        } catch {
            #expect(error.isTermination)
        }
    }

    @Test func `a socket that goes before whoever watches it is taken away, and those after it`() throws {
        let ended = Runner {
            let context = try Context()
            do {
                let server = try Socket(.router, in: context)
                let endpoint = try server.bind(Endpoint("tcp://127.0.0.1:*"))
                // Not every time does the reader of the events go before libzmq has said the last of them.
                for _ in 0..<200 {
                    let client = try Socket(.dealer, in: context)
                    let monitor = try SocketMonitor(of: client)
                    try client.connect(endpoint)
                    try client.close(linger: .zero)
                    _ = consume monitor
                }
            }
            context.terminate()
            return true
        }
        #expect(try ended.join())
    }

    @Test func `ending a context ends the waits on other threads`() throws {
        let context = try Context()
        let waiting = DispatchSemaphore(value: 0)
        let receiver = Runner {
            let socket = try Socket(.router, in: context)
            waiting.signal()
            do {
                _ = try socket.receive(within: .seconds(600))
                return false
            } catch let error as MessagingError {
                return error.isTermination
            }
        }
        let poller = Runner {
            let socket = try Socket(.router, in: context)
            var poller = Poller()
            let slot = poller.add(socket)
            waiting.signal()
            do {
                // The end makes the socket ready; using it says why.
                while try poller.wait(within: nil)?[slot] != .readable {}
                _ = try socket.receive()
                return false
            } catch let error as MessagingError {
                return error.isTermination
            }
        }
        waiting.wait()
        waiting.wait()
        context.terminate()
        #expect(try receiver.join())
        #expect(try poller.join())
    }

    @Test func `ending a context under a socket of the same thread ends the process`() async {
        await #expect(processExitsWith: .failure) {
            let context = try Context()
            let socket = try Socket(.pair, in: context)
            context.terminate()
            _ = try socket.receive()
        }
    }

    @Test func `a clean stop delivers what is queued`() throws {
        let place = try Place(.ipc)
        let server = try Socket(.router, in: .shared)
        let client = try Socket(.dealer, in: .shared)
        try client.connect(server.bind(place.endpoint))
        #expect(try client.send([.bytes([0])], within: patience) == .sent)
        for number in 1..<100 { #expect(try client.send([.bytes([UInt8(number)])]) == .sent) }
        try client.close(linger: .seconds(2))
        for number in 0..<100 { #expect(try server.message().bytes == [[UInt8(number)]]) }
    }

    @Test func `an address in use is an error with its number`() throws {
        let first = try Socket(.router, in: .shared)
        let taken = try first.bind(Endpoint("tcp://127.0.0.1:*"))
        let second = try Socket(.router, in: .shared)
        do {
            _ = try second.bind(taken)
            Issue.record("bound twice")
        } catch {
            #expect(error.code == EADDRINUSE)
            #expect(error.operation == .bind)
            #expect(error.message == "bind \(taken): Address already in use (error \(EADDRINUSE))")
        }
    }

    @Test func `localhost is bound and reached as an address`() throws {
        let server = try Socket(.router, in: .shared)
        let bound = try server.bind(Endpoint("tcp://localhost:*"))
        guard case .tcp("127.0.0.1", let port?) = bound.transport else {
            Issue.record("bound at \(bound)")
            return
        }
        let client = try Socket(.dealer, in: .shared)
        try client.connect(Endpoint("tcp://localhost:\(port)"))
        #expect(try client.send([.bytes([1])], within: patience) == .sent)
        #expect(try server.message().bytes == [[1]])
    }
}
