/// What a coordinator's shell tells the machine.
///
/// The shell hands over what has arrived before it ticks: silence is counted from the last message the machine saw.
package enum CoordinatorEvent: Sendable {
    /// The key is that of the connection, where there are keys.
    case received(Message, from: WorkerID, key: PeerKey? = nil)
    /// Frames that are no message.
    case undecodable(DecodeError, from: WorkerID, key: PeerKey? = nil)
    /// A key was taken off the allow-list: its workers are dropped.
    case revoked(PeerKey)
    /// The batch and the parameters of a step are there; what was left of an earlier step is over.
    case beginStep(UInt64)
    /// The answer of a `fold` directive is in the reduction tree.
    case folded(step: UInt64, subtree: Subtree)
    /// The answer of a `fold` directive was not what an answer holds; its sender is dropped.
    case unusable(step: UInt64, subtree: Subtree, reason: String)
    /// The answer of a `fold` directive holds numbers that are not finite: it is computed again here, where no worker can be at fault.
    case nonFinite(step: UInt64, subtree: Subtree, part: String)
    /// The sum of all shards is not finite, though every answer in it was: see `hasUncertainAnswers`.
    case nonFiniteSum(step: UInt64)
    /// The sums of a `computeLocally` directive are in the reduction tree.
    case computedLocally(step: UInt64, range: ShardRange)
    /// The answer of a `computeOwn` directive is at hand; it stays there until `foldOwn` or `discardOwn`.
    case computedOwn(step: UInt64, subtree: Subtree, StreamAssembly)
    /// A local worker's process has ended.
    case workerExited(WorkerID)
    /// No worker is there that one could wait for, and none will be started.
    case nobodyComes
    /// The socket says that a worker cannot be reached.
    case sendFailed(to: WorkerID)
    /// The coordinator itself did not run for this long; nobody else is to blame for the silence.
    case suspended(for: Duration)
    /// Time has passed; ten times a second will do.
    case tick
    /// The run is over, or is being stopped.
    case stop(reason: String)
}

/// What the machine asks of a coordinator's shell, to be done in order.
package enum CoordinatorDirective: Equatable, Sendable {
    case send(Message, to: WorkerID)
    /// Send all parameter frames of the step.
    case publishParameters(to: WorkerID, step: UInt64)
    /// Send the assignment stream of these shards' batch rows.
    case assign(ShardRange, step: UInt64, to: WorkerID)

    /// Copy the payload that was just received to this place; the first of its answer asks for the buffer.
    case store(AnswerFrame)
    /// The answer is whole and the first for its subtree: put it into the reduction tree, then say `folded` or
    /// `unusable`. The buffer of this worker and subtree is the shell's again.
    case fold(step: UInt64, subtree: Subtree, from: WorkerID)
    /// The buffer of this worker and subtree is not needed any more.
    case discard(step: UInt64, subtree: Subtree, from: WorkerID)
    /// Every shard of the step is in the reduction tree, each once.
    case stepReduced(UInt64)
    /// Compute these shards here, put their subtrees into the reduction tree, then say `computedLocally`.
    case computeLocally(step: UInt64, range: ShardRange)

    /// Compute this subtree here, keep the answer, and say `computedOwn` with what its frames would be.
    case computeOwn(step: UInt64, subtree: Subtree)
    /// Put the answer that was computed here into the reduction tree, then say `folded`.
    case foldOwn(step: UInt64, subtree: Subtree)
    /// The answer that was computed here is not needed any more.
    case discardOwn(step: UInt64, subtree: Subtree)
    /// A wrong answer is in the reduction tree: empty it. Answers that are arriving stay.
    case restartStep(UInt64)

    // For the log.
    case joined(WorkerID, Hello)
    case suspected(WorkerID, silentFor: Duration)
    case lost(WorkerID, LossReason)
    case refused(WorkerID, Refusal)
    case dropped(WorkerID, reason: String)
    /// An idle worker computes a straggler's range a second time.
    case repeated(ShardRange, step: UInt64, of: WorkerID, by: WorkerID)
    /// Nothing has come for the step at hand for this long; `waitingFor` says of whom.
    case waiting(for: Duration)
    /// The step was begun anew so often that no answer to it is taken any more: it is computed here.
    case distrusted(step: UInt64)
    /// A worker's answer differs from what the coordinator, or under an audit two others, have computed; it is dropped.
    case outvoted(WorkerID, step: UInt64, subtree: Subtree)
    /// Two answers for the same subtree differ.
    case conflict(AnswerConflict)
}

/// One piece of an answer and where it belongs.
package struct AnswerFrame: Hashable, Sendable {
    package let worker: WorkerID
    package let step: UInt64
    package let subtree: Subtree
    package let offset: Int
    package let length: Int
    /// Bytes of the whole answer.
    package let total: Int
}

/// Two answers that should be equal to the byte and are not.
package struct AnswerConflict: Hashable, Sendable {
    package let step: UInt64
    package let subtree: Subtree
    package let first: WorkerID
    package let second: WorkerID
    /// Whether the coordinator's own computation decides, or has decided; false when the step is whole, and the first one counts.
    package let isSettled: Bool

    package init(step: UInt64, subtree: Subtree, first: WorkerID, second: WorkerID, isSettled: Bool = true) {
        self.step = step
        self.subtree = subtree
        self.first = first
        self.second = second
        self.isSettled = isSettled
    }
}

/// Why a worker is on the roster no more.
package enum LossReason: Hashable, Sendable, CustomStringConvertible {
    case silent(Duration)
    case exited
    case unreachable
    case left(String)
    /// It said hello again while it held work.
    case restarted
    /// It held ranges and nothing moved; it has to say hello again.
    case stalled

    package var description: String {
        switch self {
        case .silent(let duration): "silent for \(duration)"
        case .exited: "its process ended"
        case .unreachable: "it cannot be reached"
        case .left(let reason): "it left: \(reason)"
        case .restarted: "it said hello again"
        case .stalled: "nothing moved although it held work"
        }
    }
}
