import Cluster
import Coordination
import Foundation
import Messaging
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The thread that says that a worker lives` {
    private final class Notes: Sendable {
        let sentences = Mutex<[String]>([])
    }

    private static let ping = Message(
        .ping(WorkerStatus(session: 1, wanted: 2, isComputing: false, progress: 0)), run: RunID(low: 1, high: 2),
        incarnation: 1)

    @Test func `ends without a word with the context`() throws {
        let notes = Notes()
        let context = try Context()
        weak var thread: LivenessThread?
        do {
            let directory = try PrivateDirectory()
            let begun = LivenessThread(
                context: context, endpoint: try directory.endpoint("nobody"), identity: PeerIdentity([7, 7]),
                security: nil)
            thread = begun
            begun.update(Self.ping, goodbye: nil)
            begun.start { sentence in notes.sentences.withLock { $0.append(sentence) } }
            // It has its socket when the first ping is on its way, or as soon as it finds that the context is over.
            usleep(300_000)
            context.terminate()
        }
        // It lets go of itself after its last word.
        while thread != nil { usleep(10_000) }
        #expect(notes.sentences.withLock { $0 } == [])
    }

    @Test func `says once that its connection was cut, however often whoever is there sends too much`() throws {
        let notes = Notes()
        let context = try Context()
        let floods = Mutex(0)
        let listener = try RawListener { connection in
            guard (try? connection.greet()) != nil else { return }
            // Frames of 16 KiB, each of which says that more follow.
            let frame: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0x40, 0] + [UInt8](repeating: 0, count: 1 << 14)
            while connection.write(frame) {}
            floods.withLock { $0 += 1 }
        }
        let thread = LivenessThread(
            context: context, endpoint: try Endpoint("tcp://127.0.0.1:\(listener.port)"),
            identity: PeerIdentity([7, 7]), security: nil)
        thread.update(Self.ping, goodbye: nil)
        thread.start { sentence in notes.sentences.withLock { $0.append(sentence) } }
        while floods.withLock({ $0 < 3 }) { usleep(10_000) }
        for _ in 0..<1000 where notes.sentences.withLock({ $0.isEmpty }) { usleep(10_000) }
        // Longer than it takes to look again.
        usleep(300_000)
        context.terminate()
        listener.end()
        let sentences = notes.sentences.withLock { $0 }
        let beginning = "the connection to tcp://127.0.0.1:\(listener.port) for pings was cut: "
        #expect(sentences.count == 1 && sentences[0].hasPrefix(beginning), "\(sentences)")
    }
}
