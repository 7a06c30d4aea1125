/// How soon a local worker that died is started again, and when it is given up.
package struct RestartPace: Sendable {
    /// A worker that dies sooner, without having answered anything, has died quickly.
    package static let soon: Duration = .seconds(5)
    /// So many quick deaths, one after the other, are enough.
    package static let quickDeathLimit = 5
    private static let firstDelay: Duration = .milliseconds(100)
    private static let longestDelay: Duration = .seconds(5)

    private var quickDeaths = 0
    private var nextDelay = firstDelay

    package init() {}

    /// Takes note of a death.
    ///
    /// - Returns: how long to wait before the next start, twice as long after each short life; nil to give up.
    package mutating func died(after life: Duration, hasAnswered: Bool) -> Duration? {
        let wasShort = life < Self.soon
        quickDeaths = wasShort && !hasAnswered ? quickDeaths + 1 : 0
        guard quickDeaths < Self.quickDeathLimit else { return nil }
        if !wasShort { nextDelay = Self.firstDelay }
        defer { nextDelay = min(nextDelay * 2, Self.longestDelay) }
        return nextDelay
    }
}
