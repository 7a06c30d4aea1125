internal import Coordination
internal import Foundation
internal import Messaging
internal import Synchronization

/// Says once a second that this worker lives, while its main thread computes.
///
/// It owns a socket of its own on the coordinator's control endpoint; the main thread leaves the ping of the moment here.
final class LivenessThread: Sendable {
    private struct State {
        var ping: [Payload]?
        var isOver = false
    }

    private let state = Mutex(State())
    private let context: Context
    private let endpoint: Endpoint
    private let identity: PeerIdentity

    init(context: Context, endpoint: Endpoint, identity: PeerIdentity) {
        self.context = context
        self.endpoint = endpoint
        self.identity = identity
    }

    /// Begins; the thread ends soon after `stop()`.
    func start() {
        Thread.detachNewThread { [self] in
            // Without this socket the coordinator still hears the worker between two ranges.
            try? run()
        }
    }

    func stop() { state.withLock { $0.isOver = true } }

    func update(_ ping: Coordination.Message?) {
        let payloads = ping?.payloads
        state.withLock { $0.ping = payloads }
    }

    private func run() throws {
        let socket = try Socket(.dealer, in: context, options: .control(identity: identity))
        try socket.connect(endpoint)
        var elapsed = 0
        while true {
            let (ping, isOver) = state.withLock { ($0.ping, $0.isOver) }
            if isOver { return }
            if elapsed % 10 == 0, let ping { _ = try socket.send(ping) }
            elapsed += 1
            Thread.sleep(forTimeInterval: 0.1)
        }
    }
}
