import Cluster
import Foundation
import Testing

@Suite struct MessageLossTests {
    @Test func `what the supervisor could not be told of before is told of at the end`() throws {
        var ends: [Int32] = [0, 0]
        #if os(Linux)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        // They stay open for as long as the connection does: it lives as long as the process.
        try #require(unsafe socketpair(AF_UNIX, stream, 0, &ends) == 0)
        let loss = MessageLoss(rate: 1, seed: 7)
        let connection = SupervisorConnection(on: ends[0], loss: loss)
        let word = Array("x".utf8)
        while unsafe send(ends[0], word, word.count, Int32(MSG_DONTWAIT)) > 0 {}
        for _ in 0..<5 { #expect(loss.takesOne()) }
        // What filled the connection.
        #expect(drained(ends[1]).allSatisfy { $0 == word[0] })
        connection.finished(0)
        #expect(String(decoding: drained(ends[1]), as: UTF8.self) == "dropped 5\nfinished 0\n")
        connection.finished(0)
        #expect(String(decoding: drained(ends[1]), as: UTF8.self) == "finished 0\n")
    }

    /// What has arrived there.
    private func drained(_ descriptor: Int32) -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return all }
            all += chunk[..<count]
        }
    }
}
