internal import Foundation
internal import Randomness

/// Does what a plan says to the processes of a run, from where they are supervised, and keeps count of what it cost.
struct ChaosDriver {
    private let plan: ChaosPlan
    private var random: PhiloxStream
    private var costs: ChaosCosts

    /// The process of each worker, by its number from 0.
    private var workers: [Int: pid_t] = [:]
    /// When the first step was done; nothing is done before.
    private var begun: ContinuousClock.Instant?
    private var step: UInt64 = 0
    /// When each order is due next; nil once it is done with.
    private var due: [ContinuousClock.Instant?]
    /// Whether it has killed the coordinator that was there last.
    private var hasKilledCoordinator = false
    private var stalled: [(process: pid_t, until: ContinuousClock.Instant)] = []

    init(_ plan: ChaosPlan, seed: UInt64) {
        self.plan = plan
        random = PhiloxStream(Philox(seed: seed, purpose: .chaos), 0, 0, 0)
        costs = ChaosCosts(orders: plan.orders.map(\.text), dropRate: plan.dropRate, seed: seed)
        due = Array(repeating: nil, count: plan.orders.count)
    }

    mutating func note(worker: Int, process: pid_t) { workers[worker] = process == 0 ? nil : process }

    mutating func note(dropped count: Int) { costs.dropped += count }

    mutating func stepDone(_ step: UInt64, at now: ContinuousClock.Instant) {
        self.step = max(self.step, step)
        costs.stepDone(step, at: now)
        guard begun == nil else { return }
        begun = now
        for (index, order) in plan.orders.enumerated() {
            switch order.occasion {
            case .every(let duration), .after(let duration): due[index] = now + duration
            case .atStep: due[index] = now
            }
        }
    }

    /// Whether nothing is left to be done at a step or before it.
    func isThrough(_ step: UInt64) -> Bool {
        !zip(plan.orders, due).contains { order, due in
            if due != nil, case .atStep(let wanted) = order.occasion { wanted <= step } else { false }
        }
    }

    /// The coordinator is gone, and its workers with it.
    ///
    /// - Returns: whether the plan has killed it.
    mutating func coordinatorDied() -> Bool {
        workers = [:]
        stalled = []
        defer { hasKilledCoordinator = false }
        return hasKilledCoordinator
    }

    /// What was done and what it cost, a line each, once the run is over.
    mutating func table(at now: ContinuousClock.Instant) -> [String] {
        costs.finish(at: now)
        return costs.table()
    }

    /// Does what is due, where the one it is for is there.
    mutating func look(at now: ContinuousClock.Instant, coordinator: pid_t) {
        stalled.removeAll { stall in
            if now >= stall.until { kill(stall.process, SIGCONT) }
            return now >= stall.until
        }
        for (index, order) in plan.orders.enumerated() {
            guard let time = due[index], now >= time else { continue }
            if case .atStep(let wanted) = order.occasion, step < wanted { continue }
            guard let process = process(for: order.target, coordinator: coordinator) else { continue }
            switch order.deed {
            case .kill:
                kill(process, SIGKILL)
                if order.target == .coordinator { hasKilledCoordinator = true }
                costs.begin(index, at: now, lasting: .zero)
            case .stall(let duration):
                kill(process, SIGSTOP)
                stalled.append((process, now + duration))
                costs.begin(index, at: now, lasting: duration)
            }
            if case .every(let duration) = order.occasion { due[index] = now + duration } else { due[index] = nil }
        }
    }

    private mutating func process(for target: ChaosPlan.Target, coordinator: pid_t) -> pid_t? {
        switch target {
        case .coordinator: coordinator
        case .worker(let number?): workers[number - 1]
        // One that is stopped is as good as hit already.
        case .worker(nil):
            any(
                of: workers.keys.sorted().compactMap { workers[$0] }.filter { worker in
                    !stalled.contains { $0.process == worker }
                })
        }
    }
    private mutating func any(of processes: [pid_t]) -> pid_t? {
        processes.isEmpty ? nil : processes[random.next(below: processes.count)]
    }
}
