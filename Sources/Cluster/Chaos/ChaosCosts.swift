internal import Foundation

/// What was done to a run, and the time that it lost by it.
///
/// A fault's window begins with it and ends with the first step after it that no process had done before, a second later at the
/// earliest: a worker that was killed is missed for a while. What it cost is the time of the window less what its new steps would have
/// taken at the pace outside of windows. Where windows overlap, the time counts for each of them; messages that are dropped all the
/// time slow down both alike.
struct ChaosCosts {
    private struct Window {
        let order: Int
        let begun: ContinuousClock.Instant
        let firstStep: UInt64
        /// When the fault itself is over.
        let ends: ContinuousClock.Instant
        var seconds = 0.0
        var steps: UInt64 = 0
    }

    private let orders: [String]
    private let dropRate: Double
    private let seed: UInt64
    var dropped = 0

    private var open: [Window] = []
    private var closed: [Window] = []
    private var lastReport: (step: UInt64, time: ContinuousClock.Instant)?
    /// Of stretches without a window.
    private var quiet = (seconds: 0.0, steps: UInt64(0))

    private static let aftermath: Duration = .seconds(1)

    init(orders: [String], dropRate: Double, seed: UInt64) {
        self.seed = seed
        self.orders = orders
        self.dropRate = dropRate
    }

    mutating func begin(_ order: Int, at now: ContinuousClock.Instant, lasting duration: Duration) {
        open.append(
            Window(order: order, begun: now, firstStep: lastReport?.step ?? 0, ends: now + duration + Self.aftermath))
    }

    mutating func stepDone(_ step: UInt64, at now: ContinuousClock.Instant) {
        guard step > lastReport?.step ?? 0 else { return }
        if open.isEmpty, let lastReport {
            quiet.seconds += (now - lastReport.time) / .seconds(1)
            quiet.steps += step - lastReport.step
        }
        lastReport = (step, now)
        close(at: now, all: false)
    }

    /// The run is over.
    mutating func finish(at now: ContinuousClock.Instant) { close(at: now, all: true) }

    private mutating func close(at now: ContinuousClock.Instant, all: Bool) {
        for index in open.indices.reversed() where all || now >= open[index].ends {
            var window = open.remove(at: index)
            window.seconds = (now - window.begun) / .seconds(1)
            window.steps = (lastReport?.step ?? 0) - window.firstStep
            closed.append(window)
        }
    }

    /// A line for each kind of fault: how often, and what it cost.
    func table() -> [String] {
        let pace = quiet.seconds / Double(max(1, quiet.steps))
        let width = max(24, orders.map(\.count).max() ?? 0)
        func line(_ name: String, _ times: String, _ cost: String, _ each: String) -> String {
            func right(_ text: String, _ width: Int) -> String {
                String(repeating: " ", count: max(0, width - text.count)) + text
            }
            return name.padding(toLength: width, withPad: " ", startingAt: 0) + right(times, 8) + right(cost, 12)
                + right(each, 12)
        }
        var lines = [line("chaos, seed \(seed)", "times", "cost", "each")]
        for (index, order) in orders.enumerated() {
            let windows = closed.filter { $0.order == index }
            let cost = windows.reduce(0) { $0 + max(0, $1.seconds - pace * Double($1.steps)) }
            let each = windows.isEmpty ? "" : String(format: "%.2f s", cost / Double(windows.count))
            lines.append(line(order, "\(windows.count)", String(format: "%.2f s", cost), each))
        }
        if dropRate > 0 {
            lines.append(line("drop \(String(format: "%g", dropRate * 100))%", "\(dropped)", "in all", ""))
        }
        return lines
    }
}
