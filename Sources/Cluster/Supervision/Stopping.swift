/// How long a coordinator that was asked to stop is waited for.
///
/// One that runs is left alone: it may be saving much to a slow disk, and whoever cannot wait asks again. One that stands still, by
/// SIGSTOP or a debugger, is continued after a while, and killed after another if it was stopped once more.
struct Stopping {
    enum Deed: Equatable {
        case wake
        case kill
        case explain
    }

    static let patience: Duration = .seconds(5)

    private let since: ContinuousClock.Instant
    private var isWarned = false
    private var isKilled = false

    init(since: ContinuousClock.Instant) { self.since = since }

    /// What is to be done now; nil for most of the time.
    mutating func deed(at now: ContinuousClock.Instant, isStopped: Bool) -> Deed? {
        if !isWarned, now - since >= Self.patience {
            isWarned = true
            return isStopped ? .wake : .explain
        }
        if !isKilled, isStopped, now - since >= Self.patience * 2 {
            isKilled = true
            return .kill
        }
        return nil
    }
}
