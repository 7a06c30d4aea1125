import Cluster
import Coordination
import Foundation
import Messaging
import Synchronization
import Testing

@Suite struct `The thread that says that a worker lives` {
    private final class Notes: Sendable {
        let sentences = Mutex<[String]>([])
    }

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
            begun.update(
                Message(
                    .ping(WorkerStatus(session: 1, wanted: 2, isComputing: false, progress: 0)),
                    run: RunID(low: 1, high: 2),
                    incarnation: 1), goodbye: nil)
            begun.start { sentence in notes.sentences.withLock { $0.append(sentence) } }
            // It has its socket when the first ping is on its way, or as soon as it finds that the context is over.
            usleep(300_000)
            context.terminate()
        }
        // It lets go of itself after its last word.
        while thread != nil { usleep(10_000) }
        #expect(notes.sentences.withLock { $0 } == [])
    }
}
