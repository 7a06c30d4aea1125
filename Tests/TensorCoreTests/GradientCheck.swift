import Randomness
import TensorCore
import Testing

/// Numbers for tests, from a seed that is printed when it was not given.
struct TestNumbers {
    private let philox: Philox
    private var drawn: UInt32 = 0

    init(seed: UInt64) { philox = Philox(seed: seed, purpose: .selfTest) }

    /// Uniform in [−spread, spread).
    mutating func values(_ count: Int, spread: Float = 1) -> [Float] {
        drawn += 1
        return (0..<count).map { (Philox.uniform(philox.block(UInt32($0), drawn, 0, 0).x) * 2 - 1) * spread }
    }

    mutating func parameter(_ shape: [Int], spread: Float = 1) -> Parameter {
        Parameter(values(shape.reduce(1, *), spread: spread), shape: shape)
    }

    mutating func tensor(_ shape: [Int], spread: Float = 1) -> Tensor {
        Tensor(values(shape.reduce(1, *), spread: spread), shape: shape)
    }
}

/// Compares every gradient of `loss` with central differences.
///
/// A step of 2⁻⁷ in single precision leaves errors of some 1e-4 of the largest gradient, from rounding and from the third derivative.
func expectGradients(
    of parameters: [Parameter], tolerance: Float = 3e-3, sourceLocation: SourceLocation = #_sourceLocation,
    _ loss: () -> Tensor
) {
    parameters.forEach { $0.zeroGradient() }
    loss().backward()
    let step: Float = 0x1p-7
    for (index, parameter) in parameters.enumerated() {
        let gradient = parameter.gradient?.values ?? Array(repeating: 0, count: parameter.count)
        let scale = max(gradient.map(abs).max() ?? 0, 0.05)
        let original = parameter.values
        for element in original.indices {
            func value(at offset: Float) -> Float {
                var moved = original
                moved[element] += offset
                parameter.assign(moved)
                return withoutGradients { loss().item }
            }
            let difference = (value(at: step) - value(at: -step)) / (2 * step)
            #expect(
                abs(difference - gradient[element]) <= tolerance * scale,
                "parameter \(index) element \(element): difference \(difference), gradient \(gradient[element])",
                sourceLocation: sourceLocation)
        }
        parameter.assign(original)
    }
}

/// Σ of result × cotangent: a scalar whose gradient by the result is the cotangent.
func weighted(_ result: Tensor, _ cotangent: Tensor) -> Tensor { (result * cotangent).sum() }
