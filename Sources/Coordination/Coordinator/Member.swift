/// One worker on the roster.
struct Member: Sendable {
    let id: WorkerID
    /// Grows with every worker that joins: the order in which ranges are given out.
    let number: Int
    let hello: Hello
    /// The key that its hello came with; nobody else speaks for it.
    let key: PeerKey?
    var joinedAt: Duration
    /// How long a worker may take from its welcome to its first pull and still be counted on.
    private static let greetingTime: Duration = .seconds(2)

    var lastHeard: Duration
    var isSuspect = false
    /// Whether it has answered a range since it joined, or came when nobody had answered any.
    /// For anybody else's range a step waits only twice as long as ranges take.
    var isProven: Bool
    /// Grows with each range that it has let go of and not wholly answered in time, shrinks with each that it has: others come first.
    private(set) var distrust = 0
    /// Until when it is given nothing for that.
    var restsUntil: Duration?
    /// How long its last ranges took, for each shard.
    var shardTimes = RangeTimes(keeping: 5)
    /// When it last answered a range in time.
    var answeredAt: Duration = .zero
    /// When it was last given a range although the step would end sooner without it.
    var triedAt: Duration = .zero
    /// Whether it holds that range.
    var isTried = false
    /// How many ranges it wants at hand; zero until its first pull.
    var wanted = 0
    var isComputing = false
    var progress: UInt64 = 0
    /// When something last moved between it and the coordinator.
    var lastMoved: Duration
    var publishedStep: UInt64?
    /// What it was given and has not finished, in order; of the current step, or of one that is over.
    var outstanding: [Assignment] = []
    /// Answers of the current step that are partly here.
    var partials: [Subtree: PartialAnswer] = [:]

    init(id: WorkerID, number: Int, hello: Hello, key: PeerKey?, isProven: Bool, at now: Duration) {
        self.id = id
        self.number = number
        self.hello = hello
        self.key = key
        self.isProven = isProven
        joinedAt = now
        lastHeard = now
        lastMoved = now
    }

    var hasRoom: Bool { !isSuspect && restsUntil == nil && outstanding.count < wanted }
    /// Whether an answer of it is partly here.
    var storesPartial: Bool { partials.values.contains(where: \.isStored) }
    /// Whether it takes no longer for a shard, as far as is known.
    func keepsPace(_ bound: Duration) -> Bool { shardTimes.median.map { $0 <= bound } ?? true }
    /// Whether a range in its hands may be expected to come to something; one answer may have been lost on the way.
    var isReliable: Bool { distrust < 2 * Member.failure }
    var isIdle: Bool { hasRoom && outstanding.isEmpty }

    /// Whether it computes, would if it were given a range, or has only just come.
    func helps(at now: Duration) -> Bool {
        !isSuspect && (wanted > 0 || !outstanding.isEmpty || now - joinedAt < Member.greetingTime)
    }

    func holds(_ subtree: Subtree, of step: UInt64) -> Bool {
        outstanding.contains { $0.step == step && $0.unanswered.contains(subtree) }
    }

    /// Takes an assignment off, answered or said to be done; the next one counts as started now.
    mutating func retire(at index: Int, now: Duration) -> Assignment {
        let assignment = outstanding.remove(at: index)
        if assignment.isAnswered {
            isProven = true
            distrust = max(0, distrust - 1)
        }
        if index == 0, !outstanding.isEmpty { outstanding[0].startedAt = now }
        return assignment
    }
}

extension Member {
    /// A failure weighs as much as so many answers in time.
    private static let failure = 4

    /// Nothing came in time of a range in its hands.
    ///
    /// - Returns: how many times so far, but for what it has made up for.
    @discardableResult
    mutating func fail() -> Int {
        distrust = min(distrust + Member.failure, 4 * Member.failure)
        return (distrust + Member.failure - 1) / Member.failure
    }

    /// It was tried, and did as well as others: one more failure, and it is passed over again.
    mutating func pass() {
        distrust = min(distrust, 2 * Member.failure - 1)
        shardTimes = RangeTimes(keeping: 5)
    }

    /// It is the same that was here before under this name: what is known of it stays.
    mutating func resume(_ before: Member) {
        (distrust, restsUntil) = (before.distrust, before.restsUntil)
        (shardTimes, triedAt) = (before.shardTimes, before.triedAt)
        if !before.outstanding.isEmpty { fail() }
    }
}

/// A range that a worker was given.
struct Assignment: Sendable {
    let step: UInt64
    let range: ShardRange
    /// The subtrees that this worker has not wholly answered.
    var unanswered: [Subtree]
    /// When the worker had nothing before it; nil while it waits behind another range.
    var startedAt: Duration?
    /// Whether some of it was taken back, for want of room or because it did not come to an end.
    var isTakenBack = false

    var isAnswered: Bool { unanswered.isEmpty && !isTakenBack }
}

/// An answer on its way.
struct PartialAnswer: Sendable {
    var assembly: StreamAssembly
    /// Whether the shell keeps its frames; not once another worker's answer is the first.
    var isStored: Bool
    var movedAt: Duration
    /// Whether a difference from the first answer has been reported.
    var hasConflict = false
}

/// What is there of the step being computed.
struct StepProgress: Sendable {
    let step: UInt64
    /// Shards that nobody computes now and nobody has computed.
    var pending: ShardSet
    /// First whole answers.
    var answers: [Subtree: FirstAnswer] = [:]
    /// Subtrees whose first answer was not finite, to be computed here; and who gave it.
    var recheck: [Subtree] = []
    var suspects: [(worker: WorkerID, reason: String)] = []
    /// What the coordinator is computing itself.
    var local: ShardRange?
    /// Shards that are in the reduction tree.
    var counted = 0
    var inTree = ShardSet()
    /// How often its sum was begun anew, and whether workers still have a part in it.
    var restarts = 0
    var isForWorkers = true
    /// Whether a worker's answer was taken into it, and whether it was waited for one in vain.
    var hadHelp = false
    var wasAbandoned = false
    /// When something last came for it, and after how much longer it is said that nothing has.
    var lastMoved: Duration
    var nextNotice: Duration
    var isReduced = false
    /// Shards whose answers are to be computed twice.
    var audited = ShardSet()
    /// Subtrees whose answers are in question.
    var audits: [Subtree: Audit] = [:]
    var doubt = Doubt.none
    /// Whether workers of more than one key were there since it was begun.
    var hasSeveralKeys = false
    /// What the coordinator is computing itself to decide, or because whoever holds it does not answer.
    var own: Subtree?
    /// Whether what it is computing so is in the tree, or will be, in another way.
    var isOwnVoid = false

    /// What is thought of the sum of a step that was whole.
    enum Doubt {
        case none
        /// It is not finite: every answer in it is in question.
        case open
        /// One of them was found wrong: the sum is begun anew when all have been looked at.
        case justified
    }
}

/// The answer that counts for a subtree.
struct FirstAnswer: Sendable {
    let worker: WorkerID
    let assembly: StreamAssembly
    var standing = Standing.taken
    /// Who has given the same, where that is a worker.
    var confirmedBy: WorkerID?
    var isFolded = false

    /// How far an answer is trusted, from little to much.
    enum Standing: Comparable {
        /// It is under audit, and not folded before another computation has given the same.
        case held
        /// Nobody has computed it a second time.
        case taken
        /// Another worker's computation has given the same.
        case confirmed
        /// The coordinator's own has.
        case certain
    }

    var isConfirmed: Bool { standing >= .confirmed }
}

/// How long the last ranges took.
struct RangeTimes: Sendable {
    private let kept: Int
    private var times: [Duration] = []
    private var next = 0
    private(set) var median: Duration?

    init(keeping kept: Int) {
        self.kept = kept
    }

    mutating func record(_ time: Duration) {
        if times.count < kept {
            times.append(time)
        } else {
            times[next] = time
            next = (next + 1) % kept
        }
        median = times.sorted()[times.count / 2]
    }
}
