/// Computes shards, again and again, beside a thread that looks up now and then; but not where the time before says that it will be
/// over before anybody could want that: it would only cost the change of threads.
package struct WatchedComputing {
    /// How long the last one took.
    package private(set) var last: Duration?
    private static let long: Duration = .milliseconds(300)

    package init() {}

    /// - Parameter isGivenUp: as for `ShardComputation.answers(unless:)`; not asked where it will not take long.
    /// - Returns: nil when it was given up.
    package mutating func answers(
        of computation: ShardComputation, unless isGivenUp: () throws -> Bool
    ) rethrows -> [SubtreeAnswer]? {
        let begun = ContinuousClock.now
        defer { last = ContinuousClock.now - begun }
        if let last, last < Self.long { return computation.answers() }
        return try computation.answers(unless: isGivenUp)
    }
}
