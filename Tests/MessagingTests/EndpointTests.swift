import Foundation
import Messaging
import Testing

@Suite struct EndpointTests {
    @Test(arguments: [
        "tcp://127.0.0.1:5555", "tcp://127.0.0.1:*", "tcp://node-7.cluster.local:1", "tcp://[::1]:65535",
        "tcp://[fe80::1]:80", "ipc:///tmp/a b/socket", "ipc://relative", "inproc://wake",
    ])
    func `an endpoint prints as it was written`(_ text: String) throws {
        #expect(try Endpoint(text).description == text)
    }

    @Test(arguments: [
        ("", "unknown transport; wanted tcp://host:port, ipc://path or inproc://name"),
        ("127.0.0.1:5555", "unknown transport; wanted tcp://host:port, ipc://path or inproc://name"),
        ("TCP://127.0.0.1:5555", "unknown transport; wanted tcp://host:port, ipc://path or inproc://name"),
        ("udp://127.0.0.1:5555", "unknown transport; wanted tcp://host:port, ipc://path or inproc://name"),
        ("tcp://127.0.0.1", "there is no port; wanted tcp://host:port"),
        ("tcp://:5555", "there is no host; wanted tcp://host:port"),
        ("tcp://127.0.0.1:", "port \"\"; wanted 1 to 65535, or * for any free one"),
        ("tcp://127.0.0.1:0", "port \"0\"; wanted 1 to 65535, or * for any free one"),
        ("tcp://127.0.0.1:65536", "port \"65536\"; wanted 1 to 65535, or * for any free one"),
        ("tcp://127.0.0.1:+5", "port \"+5\"; wanted 1 to 65535, or * for any free one"),
        ("tcp://127.0.0.1:5 5", "port \"5 5\"; wanted 1 to 65535, or * for any free one"),
        ("tcp://::1:5555", "an IPv6 address stands in brackets; wanted tcp://[address]:port"),
        ("tcp://[::g]:5555", "\"::g\" is not an IPv6 address"),
        ("tcp://a;b:5555", "\"a;b\" is neither a host name nor an address"),
        ("tcp://a/b:5555", "\"a/b\" is neither a host name nor an address"),
        ("tcp://*:5555", "\"*\" is every interface of the machine; wanted the address of one"),
        ("tcp://0.0.0.0:5555", "\"0.0.0.0\" is every interface of the machine; wanted the address of one"),
        ("tcp://[::]:5555", "\"::\" is every interface of the machine; wanted the address of one"),
        (
            "tcp://[::ffff:0.0.0.0]:5555",
            "\"::ffff:0.0.0.0\" is every interface of the machine; wanted the address of one"
        ),
        ("tcp://0:5555", "\"0\" is an address in a short form; wanted four numbers, as 127.0.0.1"),
        ("tcp://0x7f000001:5555", "\"0x7f000001\" is an address in a short form; wanted four numbers, as 127.0.0.1"),
        ("tcp://127.1:5555", "\"127.1\" is an address in a short form; wanted four numbers, as 127.0.0.1"),
        ("ipc://", "the path is empty; wanted ipc://path"),
        ("ipc://*", "a path chosen by the system is not private; wanted a path in a directory of your own"),
        ("ipc://@lockstep", "the abstract namespace has no permissions; wanted a path in a directory of your own"),
        ("inproc://", "the name is empty; wanted inproc://name"),
        ("ipc:///tmp/a\u{0}b", "it holds a control character; wanted tcp://host:port, ipc://path or inproc://name"),
    ])
    func `a wrong endpoint says what is wrong with it`(_ text: String, _ reason: String) {
        do {
            let endpoint = try Endpoint(text)
            Issue.record("\(endpoint) was taken")
        } catch {
            #expect(error.message == "endpoint \"\(text)\": \(reason)")
            #expect(error.operation == .endpoint)
            #expect(error.code == EINVAL)
        }
    }

    @Test func `the longest path is taken, by the system too, and one byte more is not`() throws {
        let directory = try PrivateDirectory()
        let fill = Endpoint.longestPath - directory.path.utf8.count - 1
        let longest = try directory.endpoint(String(repeating: "s", count: fill))
        let server = try Socket(.router, in: .shared)
        #expect(try server.bind(longest) == longest)
        do {
            _ = try directory.endpoint(String(repeating: "s", count: fill + 1))
            Issue.record("a path of \(Endpoint.longestPath + 1) bytes was taken")
        } catch {
            #expect(error.code == ENAMETOOLONG)
            #expect(
                error.message.hasSuffix(
                    "the path has \(Endpoint.longestPath + 1) bytes; the system allows \(Endpoint.longestPath)"))
        }
    }

    @Test(arguments: [
        ("tcp://127.0.0.1:1", true), ("tcp://127.255.0.9:1", true), ("tcp://localhost:1", true),
        ("tcp://[::1]:1", true),
        ("tcp://[0:0:0:0:0:0:0:1]:1", true), ("ipc://x", true), ("inproc://x", true), ("tcp://128.0.0.1:1", false),
        ("tcp://10.0.0.1:1", false), ("tcp://127.0.0.1.example.com:1", false), ("tcp://localhost.example.com:1", false),
        ("tcp://[::2]:1", false), ("tcp://[::ffff:127.0.0.1]:1", false), ("tcp://eth0:1", false),
    ])
    func `loopback is what only this machine can reach`(_ text: String, _ isLoopback: Bool) throws {
        #expect(try Endpoint(text).isLoopback == isLoopback)
    }

    @Test func `connecting to any free port is refused`() throws {
        let client = try Socket(.dealer, in: .shared)
        do {
            try client.connect(Endpoint("tcp://127.0.0.1:*"))
            Issue.record("connected to no port")
        } catch {
            #expect(error.message == "connect tcp://127.0.0.1:*: any free port can only be bound; wanted a port number")
        }
    }
}
