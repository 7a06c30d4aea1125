import TensorCore
import Testing

/// A row-major array in double precision, in which a test states what an operation should give.
struct Reference {
    let shape: [Int]
    var values: [Double]

    init(_ values: [Double], shape: [Int]) {
        self.values = values
        self.shape = shape
    }

    /// The element at each index.
    init(shape: [Int], _ element: ([Int]) -> Double) {
        self.shape = shape
        values = Self.indices(shape).map(element)
    }

    /// Every index of a shape, in row-major order.
    static func indices(_ shape: [Int]) -> [[Int]] {
        shape.reduce([[]]) { prefixes, size in prefixes.flatMap { prefix in (0..<size).map { prefix + [$0] } } }
    }

    subscript(index: [Int]) -> Double {
        values[zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }]
    }

    /// The element that broadcasting puts at an index of a shape with more axes or larger ones.
    func stretched(_ index: [Int]) -> Double {
        self[zip(index.suffix(shape.count), shape).map { $1 == 1 ? 0 : $0 }]
    }

    func map(_ function: (Double) -> Double) -> Reference { Reference(values.map(function), shape: shape) }
}

/// Compares an operation and all its gradients with the same formula in double precision, whose gradient central differences give.
///
/// - Parameters:
///   - shapes: of the inputs, which are drawn from `seed`.
///   - prepare: changes the drawn values, away from kinks or into a domain.
func expectAgreement(
    of shapes: [[Int]], seed: UInt64 = 1, spread: Float = 1, tolerance: Double = 4e-6,
    prepare: (Float) -> Float = { $0 },
    sourceLocation: SourceLocation = #_sourceLocation, _ operation: ([Tensor]) -> Tensor,
    reference: ([Reference]) -> Reference
) {
    var numbers = TestNumbers(seed: seed)
    let parameters = shapes.map { shape in
        Parameter(numbers.values(shape.reduce(1, *), spread: spread).map(prepare), shape: shape)
    }
    let inputs = parameters.map { Reference($0.values.map(Double.init), shape: $0.shape) }
    let result = operation(parameters.map(\.tensor))
    let expected = reference(inputs)
    #expect(result.shape == expected.shape, sourceLocation: sourceLocation)
    guard result.shape == expected.shape else { return }
    expectClose(result.values, expected.values, tolerance, "result", sourceLocation)
    guard result.requiresGradient else {
        Issue.record("nothing was recorded", sourceLocation: sourceLocation)
        return
    }

    let cotangent = numbers.tensor(result.shape)
    result.backward(cotangent: cotangent)
    func loss(_ inputs: [Reference]) -> Double {
        zip(reference(inputs).values, cotangent.values).reduce(0) { $0 + $1.0 * Double($1.1) }
    }
    for (number, parameter) in parameters.enumerated() {
        let differences = inputs[number].values.indices.map { element in
            func value(at offset: Double) -> Double {
                var moved = inputs
                moved[number].values[element] += offset
                return loss(moved)
            }
            return (value(at: 1e-5) - value(at: -1e-5)) / 2e-5
        }
        let gradient = parameter.gradient?.values ?? []
        #expect(parameter.gradient?.shape == parameter.shape, sourceLocation: sourceLocation)
        expectClose(gradient, differences, tolerance, "gradient of input \(number)", sourceLocation)
    }
}

/// Within `tolerance` of the largest magnitude.
private func expectClose(
    _ result: [Float], _ expected: [Double], _ tolerance: Double, _ what: String, _ sourceLocation: SourceLocation
) {
    let scale = max(expected.map(abs).max() ?? 0, 1e-2)
    for (index, (got, wanted)) in zip(result, expected).enumerated()
    where !(abs(Double(got) - wanted) <= tolerance * scale) {
        Issue.record("\(what), element \(index): \(got), expected \(wanted)", sourceLocation: sourceLocation)
    }
}

/// The gradient of Σ result × cotangent by the one input.
func gradient(of input: Tensor, cotangent: [Float], _ operation: (Tensor) -> Tensor) -> [Float] {
    let parameter = Parameter(input.values, shape: input.shape)
    let result = operation(parameter.tensor)
    result.backward(cotangent: Tensor(cotangent, shape: result.shape))
    return parameter.gradient?.values ?? []
}
