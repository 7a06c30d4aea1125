internal import Foundation
package import Messaging

/// Finds out from a socket's events that the other end is not one that this worker can work with.
///
/// libzmq tries again for ever and says nothing: with a wrong key every send succeeds and nothing ever arrives. What tells a coordinator that
/// is busy from whoever is none is the handshake: libzmq answers it on a thread of its own, whatever the coordinator computes.
package struct HandshakeWatch {
    private let endpoint: Endpoint
    private let hasKeys: Bool
    private let isChild: Bool
    /// Whether this worker has been welcomed before: the coordinator may be stopped, or start again, and something else may answer for it.
    package var isEstablished = false
    /// Whether a message of a coordinator's has come over this socket, whatever it said.
    package var hasHeard = false

    /// Connections that the other end closed within their handshakes since the last good one, and those in which it said so little for so
    /// long that libzmq gave them up. One that broke, as one that a coordinator under attack had to end does, proves nothing.
    private var closings = 0
    private var standstills = 0
    /// When a connection first stood without a handshake, since the last good one.
    private var waitingSince: Duration?
    /// Since when a connection stands whose handshake has succeeded.
    private var shakenSince: Duration?
    /// Whether a connection stands of whose handshake nothing has been heard.
    private var isShakingHands = false
    private var sentence: String?
    /// That whoever answers refuses the key of a worker that was welcomed before. Anybody who holds the address can say so, without a key:
    /// it counts only if nothing else is heard.
    package private(set) var rebuff: String?
    /// Whether libzmq has given this socket's connection up: it tries again only where the other end may yet be a right one.
    package private(set) var isGivenUp = false

    /// How often connections may be closed within their handshakes: whoever starts up or goes down cuts some off.
    private static let mostClosings = 4
    /// For how long there may be somebody with whom no handshake comes to an end: longer than libzmq gives one.
    private static let longestWait: Duration = .seconds(7)
    private static let breaks: Set<Int32> = [
        ECONNRESET, ECONNABORTED, ETIMEDOUT, ENETDOWN, ENETUNREACH, ENETRESET, EHOSTUNREACH,
    ]

    /// - Parameter isChild: whether the coordinator has started this worker, so that the socket can be nobody else's.
    package init(endpoint: Endpoint, hasKeys: Bool, isChild: Bool) {
        self.endpoint = endpoint
        self.hasKeys = hasKeys
        self.isChild = isChild
    }

    package mutating func note(_ event: MonitorEvent.Kind, at now: Duration) {
        switch event {
        case .connected:
            waitingSince = waitingSince ?? now
            isShakingHands = true
        case .handshakeSucceeded:
            startOver()
            shakenSince = now
            rebuff = nil
        case .handshakeFailed(.refused):
            (isShakingHands, isGivenUp) = (false, true)
            let refusal = "\(endpoint) does not admit the key of this worker"
            if isEstablished { rebuff = refusal } else { sentence = refusal }
        case .handshakeFailed(.violation): noteViolation()
        case .handshakeFailed(.system(let number)):
            if number == EPIPE { closings += 1 } else if !Self.breaks.contains(number) { standstills += 1 }
            isShakingHands = false
        // Bytes that do not even begin a handshake: libzmq has no other word for them.
        case .disconnected:
            shakenSince = nil
            if isShakingHands { noteViolation() }
        // Nobody listens: whoever was there is gone.
        case .closed: startOver()
        case .accepted, .bindFailed, .acceptFailed, .stopped: break
        }
    }

    /// Whether there is somebody of whom it is not settled yet whether this worker can work for him: what is to be said comes as the
    /// verdict, or not before a verdict would have come.
    package func isUndecided(at now: Duration) -> Bool {
        guard !isChild else { return false }
        // A little longer, so that the verdict comes first.
        return (waitingSince ?? muteSince).map { now - $0 <= Self.longestWait + .milliseconds(500) } ?? false
    }

    /// Since when somebody stands there who speaks ZeroMQ and has not answered a hello. With keys it is the coordinator, whatever keeps it.
    private var muteSince: Duration? { hasKeys || isEstablished || hasHeard ? nil : shakenSince }

    private mutating func startOver() {
        (closings, standstills, waitingSince, shakenSince, isShakingHands) = (0, 0, nil, nil, false)
    }

    private mutating func noteViolation() {
        (isShakingHands, isGivenUp) = (false, true)
        // Of somebody who was welcomed, the connection is made anew.
        if !isEstablished { sentence = mismatch }
    }

    /// The last line of a worker that cannot take part; nil while it may still come to work.
    package func verdict(at now: Duration) -> String? {
        guard !isChild else { return nil }
        if let sentence { return sentence }
        if let muteSince, now - muteSince > Self.longestWait {
            return "\(endpoint) does not answer a worker's hello: it is no coordinator, or one that stands still"
        }
        guard let waitingSince, !isEstablished else { return nil }
        // Without keys a tunnel whose far end is not there yet looks the same.
        let isAnswered = standstills > 0 || closings >= Self.mostClosings
        return isAnswered && now - waitingSince > Self.longestWait ? mismatch : nil
    }

    private var mismatch: String {
        hasKeys
            ? "\(endpoint) is not the coordinator that these keys are for: it has another key or none"
            : "\(endpoint) does not speak with a worker without keys, or is no coordinator; expected --keys DIR"
    }
}
