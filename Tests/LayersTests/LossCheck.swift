import Layers
import TensorCore
import Testing

/// Holds a loss and its gradient by one input against the same formula in double precision, whose gradient central differences give.
///
/// - Parameters:
///   - input: row-major values under `shape`.
///   - reference: one loss an element, in order, and what the mean divides their sum by.
func expectLoss(
    _ input: [Float], shape: [Int], tolerance: Double = 4e-6, sourceLocation: SourceLocation = #_sourceLocation,
    _ loss: (Tensor, Reduction) -> Tensor, reference: ([Double]) -> (each: [Double], total: Double)
) {
    let exact = input.map(Double.init)
    for reduction in Reduction.allCases {
        func results(_ x: [Double]) -> [Double] {
            let (each, total) = reference(x)
            switch reduction {
            case .none: return each
            case .sum: return [each.reduce(0, +)]
            case .mean: return [each.reduce(0, +) / total]
            }
        }
        let parameter = Parameter(input, shape: shape)
        let result = loss(parameter.tensor, reduction)
        let cotangent: [Float] = (0..<result.count).map { [0.5, -1.5, 1.25, -0.75][$0 % 4] }
        expectClose(result.values, results(exact), tolerance, "\(reduction)", sourceLocation)
        result.backward(cotangent: Tensor(cotangent, shape: result.shape))
        let differences = exact.indices.map { element in
            func value(at offset: Double) -> Double {
                var moved = exact
                moved[element] += offset
                return zip(results(moved), cotangent).reduce(0) { $0 + $1.0 * Double($1.1) }
            }
            return (value(at: 1e-5) - value(at: -1e-5)) / 2e-5
        }
        expectClose(
            parameter.gradient?.values ?? [], differences, tolerance, "\(reduction), gradient", sourceLocation)
    }
}

/// Within `tolerance` of the largest magnitude.
func expectClose(
    _ result: [Float], _ expected: [Double], _ tolerance: Double, _ what: String,
    _ sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(result.count == expected.count, "\(what)", sourceLocation: sourceLocation)
    let scale = max(expected.map(abs).max() ?? 0, 1e-2)
    for (index, (got, wanted)) in zip(result, expected).enumerated()
    where !(abs(Double(got) - wanted) <= tolerance * scale) {
        Issue.record("\(what), element \(index): \(got), expected \(wanted)", sourceLocation: sourceLocation)
    }
}

/// Numbers between −3 and 3 that follow no pattern, from their index alone.
func scattered(_ count: Int, from start: Int = 0) -> [Float] {
    (start..<start + count).map { Float(($0 * 7919 + 104_729) % 1009) / 1009 * 6 - 3 }
}
