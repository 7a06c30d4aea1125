/// A moment of a simulation, in microseconds from its begin; also a length of time.
typealias Instant = Int

extension Instant {
    static func milliseconds(_ count: Int) -> Instant { 1000 * count }
    static func seconds(_ count: Int) -> Instant { 1_000_000 * count }

    /// As the machines take it.
    var duration: Duration { .microseconds(self) }
}

/// Something that must never happen has happened.
struct Violation: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
