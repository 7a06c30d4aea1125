/// The two ends of the protocol.
package enum Role: Sendable {
    case coordinator
    case worker
}

/// What a message is, as the number in its header.
package enum MessageKind: UInt16, CaseIterable, Sendable {
    // From a worker.
    case hello = 1
    case pull = 2
    case answer = 3
    case goodbye = 4
    case ping = 5

    // From the coordinator.
    case welcome = 16
    case refused = 17
    case parameters = 18
    case assignment = 19
    case register = 20
    case pong = 21
    case stop = 22

    package var sender: Role {
        rawValue < MessageKind.welcome.rawValue ? .worker : .coordinator
    }

    /// Whether the payload is a piece of a longer stream, cut on the frame grid.
    package var isStream: Bool {
        switch self {
        case .answer, .parameters, .assignment: true
        default: false
        }
    }

    /// What the step and shard fields of the header hold; all else is zero.
    var place: Place {
        switch self {
        case .answer: .subtree
        case .assignment: .range
        case .pull: .rangeOrNothing
        case .parameters: .step
        case .hello, .goodbye, .ping, .welcome, .refused, .register, .pong, .stop: .nothing
        }
    }

    enum Place {
        case nothing
        case step
        case range
        case rangeOrNothing
        case subtree
    }
}
