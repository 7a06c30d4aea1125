import Foundation
import Layers
import TensorCore
import Testing

/// The seed of randomised tests: a new one each time, or the one in the environment, to see a failure again.
let testSeed: UInt64 = {
    let given = ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
    print("LOCKSTEP_TEST_SEED=\(seed)")
    return seed
}()

/// SplitMix64: small, seeded, and not the generator under test.
struct TestNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func values(_ count: Int, spread: Float = 1) -> [Float] {
        (0..<count).map { _ in Float.random(in: -spread..<spread, using: &self) }
    }

    mutating func tensor(_ shape: [Int], spread: Float = 1) -> Tensor {
        Tensor(values(shape.reduce(1, *), spread: spread), shape: shape)
    }

    mutating func parameter(_ shape: [Int], spread: Float = 1) -> Parameter {
        Parameter(values(shape.reduce(1, *), spread: spread), shape: shape)
    }
}

extension Tensor {
    /// The bits of every element.
    var bits: [UInt32] { values.map(\.bitPattern) }
}

/// Σ of result × cotangent: a scalar whose gradient by the result is the cotangent.
func weighted(_ result: Tensor, _ cotangent: Tensor) -> Tensor { (result * cotangent).sum() }

/// Equal up to a few units in the last place of the largest.
func expectNear(
    _ first: [Float], _ second: [Float], _ what: String, tolerance: Float = 1e-6,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let scale = max(first.map(abs).max() ?? 0, 1e-6)
    #expect(first.count == second.count, "\(what)", sourceLocation: sourceLocation)
    let worst = zip(first, second).map { abs($0 - $1) }.max() ?? 0
    #expect(worst <= tolerance * scale, "\(what): \(worst) apart, of \(scale)", sourceLocation: sourceLocation)
}

extension ExitTest.Result {
    /// What the process printed before it stopped.
    var sentence: String { String(decoding: standardErrorContent, as: UTF8.self) }
}

/// Holds what a stopped process said against what it should have named.
func expect(
    _ result: ExitTest.Result?, says sentence: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    let printed = result?.sentence ?? ""
    #expect(printed.contains(sentence), "it said: \(printed)", sourceLocation: sourceLocation)
}
