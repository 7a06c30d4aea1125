/// Whether a coordinator that died is started again, and when.
package struct RestartPolicy: Sendable {
    /// As many deaths in a row, with no step done that had not been done before, are no accident.
    package static let limit = 5

    /// The last step that any of the coordinators has done.
    private var last: UInt64?
    /// Deaths since then.
    package private(set) var deaths = 0

    /// As many in a row that somebody has asked for, to see what they cost, leave no time for a step.
    package static let plannedLimit = 50
    /// Deaths that were asked for since the last new step.
    private var planned = 0

    package init() {}

    package mutating func stepDone(_ step: UInt64) {
        if let last, step <= last { return }
        last = step
        (deaths, planned) = (0, 0)
    }

    /// - Returns: how long to wait before the next start; nil to give up.
    package mutating func died() -> Duration? {
        deaths += 1
        guard deaths < Self.limit else { return nil }
        // At once after steady work, then 0.2, 0.8, 3.2 s: what killed it may be passing, memory that others hold for a while.
        return deaths == 1 ? .zero : .milliseconds(50 << (2 * (deaths - 1)))
    }

    /// Takes note of a death that was asked for: no accident, and none of those that count.
    ///
    /// - Returns: false to give up, as too many of them have come before a new step.
    package mutating func diedAsPlanned() -> Bool {
        planned += 1
        return planned < Self.plannedLimit
    }
}
