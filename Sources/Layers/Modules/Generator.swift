internal import Randomness
internal import Synchronization
public import TensorCore

/// Draws the initial values of parameters, one after another, from a seed.
public final class Generator: Sendable {
    private struct State {
        var philox: Philox
        var drawn: UInt32 = 0
    }
    private let state: Mutex<State>

    /// What layers draw from when they are given no other; `manualSeed` starts it again.
    public static var `default`: Generator { scoped ?? shared }

    private static let shared = Generator(seed: 0)
    @TaskLocal private static var scoped: Generator?

    /// Runs `body` with a default generator of its own, which nobody else draws from meanwhile.
    package static func withDefault<Result>(seed: UInt64, _ body: () throws -> Result) rethrows -> Result {
        try $scoped.withValue(Generator(seed: seed), operation: body)
    }

    /// Values that follow from `seed` and the order in which parameters are drawn.
    public init(seed: UInt64) {
        state = Mutex(State(philox: Philox(seed: seed, purpose: .initialisation)))
    }

    /// Starts again from a seed, as PyTorch's `manual_seed`.
    public func manualSeed(_ seed: UInt64) {
        state.withLock { $0 = State(philox: Philox(seed: seed, purpose: .initialisation)) }
    }

    /// Uniform in [−bound, bound).
    public func uniform(_ shape: [Int], bound: Float) -> Parameter {
        let values = words(shape.reduce(1, *)).map { (Philox.uniform($0) * 2 - 1) * bound }
        return Parameter(values, shape: shape)
    }

    /// Standard normal, by Marsaglia's polar method: it needs a logarithm and a square root, both of which give the same bits everywhere.
    public func normal(_ shape: [Int], sparseGradient: Bool = false) -> Parameter {
        let count = shape.reduce(1, *)
        let (philox, parameter) = next()
        var values: [Float] = []
        values.reserveCapacity(count + 1)
        var block: UInt32 = 0
        while values.count < count {
            let words = philox.block(block, 0, 0, parameter)
            block += 1
            for (x, y) in [(words.x, words.y), (words.z, words.w)] {
                let (u, v) = (Philox.uniform(x) * 2 - 1, Philox.uniform(y) * 2 - 1)
                let square = u * u + v * v
                guard square > 0, square < 1 else { continue }
                let factor = (-2 * Elementary.log(square) / square).squareRoot()
                values += [u * factor, v * factor]
            }
        }
        return Parameter(Array(values.prefix(count)), shape: shape, sparseGradient: sparseGradient)
    }

    private func words(_ count: Int) -> [UInt32] {
        let (philox, parameter) = next()
        var words: [UInt32] = []
        words.reserveCapacity(count + 3)
        for block in 0..<UInt32((count + 3) / 4) {
            let four = philox.block(block, 0, 0, parameter)
            words += [four.x, four.y, four.z, four.w]
        }
        return Array(words.prefix(count))
    }

    /// The generator and the index of the next parameter.
    private func next() -> (Philox, UInt32) {
        state.withLock { state in
            defer { state.drawn += 1 }
            return (state.philox, state.drawn)
        }
    }
}

/// Starts the default generator again from a seed, as PyTorch's `manual_seed`.
public func manualSeed(_ seed: UInt64) { Generator.default.manualSeed(seed) }
