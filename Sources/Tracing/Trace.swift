internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Takes down what every thread of this process does, while it is turned on.
///
/// Turned off, a span costs one look at a flag. Turned on, it costs two looks at the clock and a record in memory that is there already:
/// nothing is allocated and nothing waits, so that what is measured is what happens without.
package enum Trace {
    /// One span that is over. Times are nanoseconds of the monotonic clock, which all processes of a machine share.
    package struct Record: Sendable, Equatable {
        package var span: Span
        package var thread: UInt64
        package var begin: UInt64
        package var end: UInt64

        package init(span: Span, thread: UInt64, begin: UInt64, end: UInt64) {
            self.span = span
            self.thread = thread
            self.begin = begin
            self.end = end
        }
    }

    /// Spans that there is room for between two calls of `take()`; those that come after are counted and left out.
    package static let capacity = 1 << 17

    private static let isRunning = Atomic<Bool>(false)
    private static let next = Atomic<Int>(0)
    private static let lost = Atomic<Int>(0)

    /// A record belongs to whoever drew its number.
    @safe private struct Room: @unchecked Sendable {
        let records: UnsafeMutablePointer<Record>
    }
    private static let room: Room = {
        let records = UnsafeMutablePointer<Record>.allocate(capacity: capacity)
        // Written once, so that no page is touched for the first time within a step.
        unsafe records.initialize(
            repeating: Record(span: .wait, thread: 0, begin: 0, end: 0), count: capacity)
        return unsafe Room(records: records)
    }()

    package static var isOn: Bool { isRunning.load(ordering: .relaxed) }

    /// Begins, with nothing taken down.
    package static func start() {
        _ = room
        next.store(0, ordering: .relaxed)
        lost.store(0, ordering: .relaxed)
        isRunning.store(true, ordering: .releasing)
    }

    package static func stop() { isRunning.store(false, ordering: .releasing) }

    /// Does `body`, and takes down when.
    @inline(__always)
    package static func span<Result, Failure: Error>(
        _ span: Span, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard isOn else { return try body() }
        let begin = now()
        defer { record(span, since: begin) }
        return try body()
    }

    package static func record(_ span: Span, since begin: UInt64) {
        let end = now()
        let place = next.add(1, ordering: .relaxed).oldValue
        guard place < capacity else {
            lost.add(1, ordering: .relaxed)
            return
        }
        unsafe room.records[place] = Record(span: span, thread: thread, begin: begin, end: end)
    }

    /// Whether half of the room is used.
    package static var isFilling: Bool { next.load(ordering: .relaxed) > capacity / 2 }

    /// Hands over what was taken down, and how many spans found no room; called between steps, while no other thread records.
    package static func take() -> (records: [Record], lost: Int) {
        let count = min(next.load(ordering: .acquiring), capacity)
        let records = unsafe Array(UnsafeBufferPointer(start: room.records, count: count))
        defer {
            next.store(0, ordering: .releasing)
            lost.store(0, ordering: .relaxed)
        }
        return (records, lost.load(ordering: .relaxed))
    }

    package static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The calling thread.
    package static var thread: UInt64 {
        #if canImport(Glibc)
            UInt64(pthread_self())
        #else
            UInt64(UInt(bitPattern: pthread_self()))
        #endif
    }
}
