package import Coordination
package import Messaging

/// What a coordinator is told beside the run itself.
package struct CoordinatorSettings: Sendable {
    package var run: RunID
    package var incarnation: UInt64
    /// Where workers connect to; a second socket for their pings is opened beside it.
    package var data: Endpoint
    package var control: Endpoint
    package var fallbackAfter: Duration
    /// The share of ranges that is computed twice on purpose, 0 to 1.
    package var auditShare: Double
    /// Threads for shards that are computed here, for updates and for verifying what has arrived.
    package var threads: Int
    /// Who may take part; nil on sockets that only this user can reach.
    package var keys: CoordinatorKeys?
    /// What throws messages away, where somebody asked for it.
    package var loss: MessageLoss?

    package init(
        run: RunID, incarnation: UInt64, data: Endpoint, control: Endpoint, fallbackAfter: Duration, threads: Int,
        keys: CoordinatorKeys? = nil, auditShare: Double = 0, loss: MessageLoss? = nil
    ) {
        self.loss = loss
        self.run = run
        self.incarnation = incarnation
        self.data = data
        self.control = control
        self.fallbackAfter = fallbackAfter
        self.threads = threads
        self.keys = keys
        self.auditShare = auditShare
    }
}
