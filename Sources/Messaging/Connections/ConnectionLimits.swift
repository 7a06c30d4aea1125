/// What peers may make this process hold.
package struct ConnectionLimits: Sendable {
    /// Bytes that may wait here from one connection, beyond what the system itself holds.
    package var waitingBytes: Int
    /// The same, for all connections together whose owners are not recognised.
    package var strangersBytes: Int
    /// Connections of one process; beyond that those that are not recognised are cut, first those that say nothing.
    package var connections: Int
    /// How long a connection counts as recognised after it last was.
    package var memory: Duration = .seconds(15)
    /// How long a connection stands that is to be cut because its owner takes no part any more.
    package var farewell: Duration = .seconds(1)
    /// How long a connection may say nothing before that counts against it where there are too many.
    package var silence: Duration = .milliseconds(100)
    /// Connections that may come from one address before that counts against them where there are too many: all workers' may.
    package var ofOneAddress = 128
    /// The least time between two looks at the connections over which something comes.
    package var interval: Duration = .milliseconds(1)
    /// The same, where looking takes long because there are so many.
    package var longestInterval: Duration = .milliseconds(20)
    /// How often all connections are looked at.
    package var sweep: Duration = .milliseconds(100)

    package init(waitingBytes: Int, strangersBytes: Int, connections: Int) {
        self.waitingBytes = waitingBytes
        self.strangersBytes = strangersBytes
        self.connections = connections
    }
}

/// A connection that was ended because of its owner's doing.
package struct ConnectionCut: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        /// So many bytes of it waited here.
        case waitingBytes(Int)
        /// Its owner takes no part any more.
        case dismissed
        /// There were so many connections.
        case connections(Int)

        package var kind: Kind {
            switch self {
            case .waitingBytes: .waitingBytes
            case .dismissed: .dismissed
            case .connections: .connections
            }
        }
    }

    /// What cuts are counted by.
    package enum Kind: String, Sendable {
        case waitingBytes = "waiting_bytes"
        case dismissed, connections
    }

    package let reason: Reason
    /// Address and port of the peer.
    package let peer: String
}
