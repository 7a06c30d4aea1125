/// What a coordinator is told before it starts.
package struct CoordinatorConfiguration: Sendable {
    package var run: RunID
    package var incarnation: UInt64
    /// S, a power of two.
    package var shards: Int
    /// The program's version; workers of another one are refused.
    package var version: String
    /// The numerics self-test's hash; workers with another one are refused.
    package var fingerprint: [UInt8]

    /// Length of the parameter stream of every step.
    package var parameterBytes: UInt64
    package var answerLimit: UInt64
    /// An answer's length is a multiple of this many bytes: there is no half number.
    package var answerUnit: UInt64 = 1
    package var assignmentLimit: UInt64
    /// Where workers send their pings; empty for the endpoint they know.
    package var controlEndpoint = ""
    /// The model's description, handed to every worker as it is.
    package var model: [UInt8]

    /// How streams are cut; another than the standard one in tests only.
    package var framing = Framing.standard
    package var maximumWorkers = 64
    /// Whether every message has to come with a key: it does on a socket that others can reach.
    package var requiresKeys = false
    /// Silence after which a worker gets no new range.
    package var suspectAfter: Duration = .seconds(3)
    /// Silence after which a worker is lost.
    package var lostAfter: Duration = .seconds(5)
    /// How long a worker may hold ranges without computing and without a frame in either direction before it has to
    /// say hello again: something on the way to it or from it was lost. Longer than a frame takes on the slowest link.
    package var stallAfter: Duration = .seconds(30)
    /// How long nothing may come for a step before it is said who is waited for; again after twice as long, and so on.
    package var noticeAfter: Duration = .seconds(10)
    /// The least age at which a range of a proven worker is computed a second time; twice the time that ranges take where that is more.
    package var stragglerMinimum: Duration = .milliseconds(500)
    /// How many answers, each as long as all parameters, may be arriving or wait in the sum for their neighbours, as long as more than one
    /// worker is at work.
    package var answerRoom = Int.max
    /// How long a late worker's answer that has begun may stand still before it makes room for others.
    package var stuckAfter: Duration = .seconds(2)
    /// The share of ranges that is computed twice on purpose, 0 to 1. Answers that differ are settled by the coordinator's own.
    package var auditShare = 0.0
    /// The age at which a range is computed a second time as long as none has been done.
    package var lateWithoutMedian: Duration = .seconds(5)
    /// The least age at which a range no longer counts as being computed, whatever its worker says; eight times the time that ranges
    /// take where that is more. The worker stays, and its answer counts if it comes first.
    package var overdueAfter: Duration = .seconds(10)
    /// How long at most a worker is given nothing that says of range after range that it is done and has not answered it.
    package var longestRest: Duration = .seconds(1)
    /// How long workers that are passed over wait at least until some of them are tried again.
    package var trialPause: Duration = .seconds(10)
    /// How long to wait for a first worker before computing alone.
    package var fallbackAfter: Duration = .seconds(10)
    /// The most shards the coordinator computes at once, so that workers that come in take the rest.
    package var localShards: Int

    package init(
        run: RunID, incarnation: UInt64, shards: Int, version: String, fingerprint: [UInt8], parameterBytes: UInt64,
        answerLimit: UInt64, assignmentLimit: UInt64, model: [UInt8]
    ) {
        precondition(
            Subtree.root(of: shards).count == shards && fingerprint.count == Hello.fingerprintBytes,
            "CoordinatorConfiguration: fingerprint of \(fingerprint.count) bytes; wanted \(Hello.fingerprintBytes)")
        precondition(
            max(parameterBytes, answerLimit, assignmentLimit) <= maximumStreamBytes,
            "CoordinatorConfiguration: a stream longer than \(maximumStreamBytes) bytes")
        self.run = run
        self.incarnation = incarnation
        self.shards = shards
        self.version = version
        self.fingerprint = fingerprint
        self.parameterBytes = parameterBytes
        self.answerLimit = answerLimit
        self.assignmentLimit = assignmentLimit
        self.model = model
        localShards = max(1, shards / 4)
    }
}
