internal import Dispatch
internal import Synchronization

/// Runs pieces of work that do not depend on each other on some threads.
///
/// A piece's result is the same on whatever thread and in whatever order; what is to be added from several pieces is added by the caller.
package struct ThreadTeam: Sendable {
    package let threads: Int

    package init(threads: Int) {
        require(threads > 0, "ThreadTeam: \(threads) threads")
        self.threads = threads
    }

    /// The calling thread alone.
    package static let alone = ThreadTeam(threads: 1)

    /// Floats below which waking other threads takes longer than the work.
    private static let smallest = 1 << 18

    /// Calls `body` with every index of `sizes`, the largest first; whichever thread is free takes the next.
    ///
    /// - Parameter sizes: floats that each piece goes through.
    package func run(_ sizes: [Int], _ body: @Sendable (Int) -> Void) {
        guard threads > 1, sizes.count > 1, sizes.reduce(0, +) >= Self.smallest else {
            for index in sizes.indices { body(index) }
            return
        }
        let order = sizes.indices.sorted { (sizes[$1], $0) < (sizes[$0], $1) }
        let next = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: min(threads, order.count)) { _ in
            FloatingPointEnvironment.prepareThread()
            while true {
                let place = next.add(1, ordering: .relaxed).oldValue
                guard place < order.count else { return }
                body(order[place])
            }
        }
    }

    /// Calls `body` with ranges that cover `0..<count`; for what each element does alone.
    package func run(over count: Int, _ body: @Sendable (Range<Int>) -> Void) {
        let piece = threads == 1 ? max(count, 1) : 1 << 17
        let starts = Array(stride(from: 0, to: count, by: piece))
        run(starts.map { min(piece, count - $0) }) { body(starts[$0]..<min(starts[$0] + piece, count)) }
    }
}
