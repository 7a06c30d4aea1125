package import Coordination
internal import Foundation
package import Messaging
internal import Synchronization

/// Says once a second that this worker lives, while its main thread computes.
///
/// It owns a socket of its own on the coordinator's control endpoint; the main thread leaves the ping of the moment here.
package final class LivenessThread: Sendable {
    private struct State {
        var ping: Payload?
        /// What is said when a signal ends the process.
        var goodbye: Payload?
        var isOver = false
    }

    private let state = Mutex(State())
    private let context: Context
    let endpoint: Endpoint
    private let identity: PeerIdentity
    private let security: SocketSecurity?

    package init(context: Context, endpoint: Endpoint, identity: PeerIdentity, security: SocketSecurity?) {
        self.context = context
        self.security = security
        self.endpoint = endpoint
        self.identity = identity
    }

    /// Begins; the thread ends soon after `stop()`.
    ///
    /// - Parameter note: told when the connection is cut because too much comes over it, and why when the socket fails. The
    ///   coordinator then hears the worker between two ranges only.
    package func start(note: @escaping @Sendable (String) -> Void) {
        Thread.detachNewThread { [self] in
            do { try run(note) } catch let end as MessagingError where end.isTermination {
                // This worker is over.
            } catch { note("pings have stopped: \(error)") }
        }
    }

    func stop() { state.withLock { $0.isOver = true } }

    package func update(_ ping: Coordination.Message?, goodbye: Coordination.Message?) {
        let (ping, goodbye) = (ping?.frame, goodbye?.frame)
        state.withLock { ($0.ping, $0.goodbye) = (ping, goodbye) }
    }

    private func run(_ note: (String) -> Void) throws {
        var options = SocketOptions.control(identity: identity)
        options.security = security
        let socket = try Socket(.dealer, in: context, options: options)
        // Nothing is read here; what comes nevertheless is bounded.
        var cuts = CutNotice("the connection to \(endpoint) for pings")
        let bounds = ConnectionGuard(.worker)
        try bounds.watch(socket, isEncrypted: security != nil)
        try bounds.start(in: context)
        try socket.connect(endpoint)
        var elapsed = 0
        while true {
            let (ping, goodbye, isOver) = state.withLock { ($0.ping, $0.goodbye, $0.isOver) }
            if isOver { return }
            if let code = StopSignal.exitCode {
                // A worker holds nothing that would be lost; a range may take longer than whoever sent the signal waits.
                if let goodbye { _ = try socket.send([goodbye], within: .milliseconds(100)) }
                try socket.close(linger: .milliseconds(200))
                Thread.sleep(forTimeInterval: 0.25)
                // Not exit: the main thread may be on its way out too.
                _exit(code)
            }
            if let sentence = try cuts.take(from: bounds) { note(sentence) }
            if elapsed % 10 == 0, let ping { _ = try socket.send([ping]) }
            elapsed += 1
            Thread.sleep(forTimeInterval: 0.1)
        }
    }
}
