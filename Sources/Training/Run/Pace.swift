/// How fast steps come: what lies between two steps, validation and saving, is not counted as training.
struct Pace {
    private let clock = ContinuousClock()
    private let begun: ContinuousClock.Instant
    private var stepBegan: ContinuousClock.Instant
    private let firstStep: UInt64
    private var step: UInt64
    private let steps: UInt64
    private var trained: Duration = .zero
    private var tokens = 0
    /// Seconds a step and tokens a second, weighted towards the recent ones.
    private var recentSeconds: Double?
    private var recentRate = 0.0
    private var recentLoss: Double?

    init(done: UInt64, of steps: UInt64) {
        begun = clock.now
        stepBegan = begun
        firstStep = done
        step = done
        self.steps = steps
    }

    /// Wall-clock seconds since the beginning.
    var seconds: Double { (clock.now - begun) / .seconds(1) }

    /// How long a step takes; nil before the first.
    var recentStep: Duration? { recentSeconds.map { .seconds($0) } }
    /// Tokens a second of training.
    var rate: Double { trained > .zero ? Double(tokens) / (trained / .seconds(1)) : 0 }

    mutating func stepDone(tokens: Int) -> (recentRate: Double, left: Duration?) {
        let now = clock.now
        let took = now - stepBegan
        trained += took
        self.tokens += tokens
        step += 1
        let seconds = max(took / .seconds(1), 1e-9)
        // The first steps find cold caches and workers that are still starting.
        let weight = step - firstStep < 10 ? 0.5 : 0.05
        recentSeconds = recentSeconds.map { $0 + weight * (seconds - $0) } ?? seconds
        recentRate = Double(tokens) / (recentSeconds ?? seconds)
        // A first step that waited for workers says nothing about the others.
        let left = step - firstStep < 5 ? nil : recentSeconds.map { Duration.seconds($0 * Double(steps - step)) }
        return (recentRate, left)
    }

    mutating func smoothed(_ loss: Double) -> Double {
        let next = recentLoss.map { $0 + 0.1 * (loss - $0) } ?? loss
        recentLoss = next
        return next
    }

    /// The next step begins now.
    mutating func resume() { stepBegan = clock.now }
}
