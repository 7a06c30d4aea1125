internal import Foundation

/// What was done to a run, and the time that it lost by it.
///
/// A fault's window begins with it and ends with the first step after it that no process had done before, a second later at the
/// earliest: a worker that was killed is missed for a while. What it cost is the time of the window less what its new steps would have
/// taken at the pace outside of windows. Where windows overlap, they share the time and its steps alike: no second is lost twice, and
/// all costs together are no more than the time that the run took. Messages that are dropped all the time slow down both alike.
package struct ChaosCosts {
    private struct Window {
        let order: Int
        /// When the fault itself is over.
        let ends: ContinuousClock.Instant
        /// Its share of the time and of the new steps since it was opened.
        var seconds = 0.0
        var steps = 0.0
    }

    private let orders: [String]
    private let dropRate: Double
    private let seed: UInt64
    package var dropped = 0

    private var open: [Window] = []
    private var closed: [Window] = []
    private var lastReport: (step: UInt64, time: ContinuousClock.Instant)?
    /// Until when the time has been shared out.
    private var sharedUntil: ContinuousClock.Instant?
    /// Of stretches without a window.
    private var quiet = (seconds: 0.0, steps: UInt64(0))

    private static let aftermath: Duration = .seconds(1)

    package init(orders: [String], dropRate: Double, seed: UInt64) {
        self.seed = seed
        self.orders = orders
        self.dropRate = dropRate
    }

    package mutating func begin(_ order: Int, at now: ContinuousClock.Instant, lasting duration: Duration) {
        shareOut(until: now)
        open.append(Window(order: order, ends: now + duration + Self.aftermath))
    }

    package mutating func stepDone(_ step: UInt64, at now: ContinuousClock.Instant) {
        guard step > lastReport?.step ?? 0 else { return }
        shareOut(until: now, steps: step - (lastReport?.step ?? 0))
        if open.isEmpty, let lastReport {
            quiet.seconds += (now - lastReport.time) / .seconds(1)
            quiet.steps += step - lastReport.step
        }
        lastReport = (step, now)
        close(at: now, all: false)
    }

    /// The run is over.
    package mutating func finish(at now: ContinuousClock.Instant) {
        shareOut(until: now)
        close(at: now, all: true)
    }

    /// Gives each open window as much of the time since the last event, and of the steps that were done at its end, as any other.
    private mutating func shareOut(until now: ContinuousClock.Instant, steps: UInt64 = 0) {
        defer { sharedUntil = now }
        guard let sharedUntil, !open.isEmpty else { return }
        for index in open.indices {
            open[index].seconds += (now - sharedUntil) / .seconds(1) / Double(open.count)
            open[index].steps += Double(steps) / Double(open.count)
        }
    }

    private mutating func close(at now: ContinuousClock.Instant, all: Bool) {
        for index in open.indices.reversed() where all || now >= open[index].ends {
            closed.append(open.remove(at: index))
        }
    }

    /// Seconds that each order of the plan has cost, by its place in it.
    package var seconds: [Double] {
        let pace = quiet.seconds / Double(max(1, quiet.steps))
        return orders.indices.map { index in
            closed.filter { $0.order == index }.reduce(0) { $0 + max(0, $1.seconds - pace * $1.steps) }
        }
    }

    /// A line for each kind of fault: how often, and what it cost.
    package func table() -> [String] {
        let width = max(24, orders.map(\.count).max() ?? 0)
        func line(_ name: String, _ times: String, _ cost: String, _ each: String) -> String {
            func right(_ text: String, _ width: Int) -> String {
                String(repeating: " ", count: max(0, width - text.count)) + text
            }
            return name.padding(toLength: width, withPad: " ", startingAt: 0) + right(times, 8) + right(cost, 12)
                + right(each, 12)
        }
        var lines = [line("chaos, seed \(seed)", "times", "cost", "each")]
        for (index, cost) in seconds.enumerated() {
            let times = closed.count { $0.order == index }
            let each = times == 0 ? "" : String(format: "%.2f s", cost / Double(times))
            lines.append(line(orders[index], "\(times)", String(format: "%.2f s", cost), each))
        }
        if dropRate > 0 {
            lines.append(line("drop \(String(format: "%g", dropRate * 100))%", "\(dropped)", "in all", ""))
        }
        return lines
    }
}
