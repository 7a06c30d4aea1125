/// What happened so far, as counts; the only thing in the machine that lives longer than a step.
package struct CoordinatorCounters: Equatable, Sendable {
    /// Why a well-formed message changed nothing.
    package enum Stale: String, CaseIterable, Sendable {
        case run
        case incarnation
        /// From before the worker's last hello.
        case session
        case step
        /// For shards that are not this worker's, or not any more.
        case unassigned
        case repeatedFrame
        /// Part of an answer, when another began before its end.
        case displaced
        case unknownSender
        case banned
        /// Under the name of a worker that has another key.
        case otherKey
        /// With no key, or one that was revoked.
        case notAdmitted
        case stopped
    }

    package internal(set) var stale: [Stale: Int] = [:]
    package internal(set) var malformed: [DecodeError.Code: Int] = [:]
    package internal(set) var joined = 0
    package internal(set) var lost = 0
    package internal(set) var refused = 0
    package internal(set) var dropped = 0
    package internal(set) var stepsReduced = 0
    package internal(set) var rangesAssigned = 0
    package internal(set) var rangesRepeated = 0
    /// Second answers that were equal to the byte.
    package internal(set) var equalAnswers = 0
    package internal(set) var conflicts = 0
    package internal(set) var shardsComputedLocally = 0
    /// Answers that were computed twice on purpose and confirmed.
    package internal(set) var audited = 0
    /// Workers whose answer was wrong.
    package internal(set) var outvoted = 0
    /// Sums that were begun anew because a wrong answer was in them.
    package internal(set) var stepsRestarted = 0

    /// What came and should not have, by kind: malformed messages by what was wrong with them, and well-formed ones of strangers. What
    /// an honest worker may send too, such as an answer that comes late, is not in here.
    package var rejected: [String: Int] {
        var counts: [String: Int] = [:]
        for (code, count) in malformed { counts[Self.word(code.rawValue), default: 0] += count }
        for reason in [Stale.otherKey, .notAdmitted, .banned] where stale[reason] != nil {
            counts[Self.word(reason.rawValue)] = stale[reason]
        }
        return counts
    }

    /// `headerLength` as it is written in files: `header_length`.
    private static func word(_ name: String) -> String {
        name.reduce(into: "") { word, letter in word += letter.isUppercase ? "_\(letter.lowercased())" : "\(letter)" }
    }
}
