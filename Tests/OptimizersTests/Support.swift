import Optimizers
import TensorCore
import Testing

/// Adds a gradient to a parameter, as a loss's `backward()` does.
func give(_ gradient: [Float], to parameter: Parameter) {
    parameter.tensor.backward(cotangent: Tensor(gradient, shape: parameter.shape))
}

func expect(
    _ parameter: Parameter, _ values: [Float], within tolerance: Float = 1e-6,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let close = zip(parameter.values, values).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
    #expect(
        close && parameter.count == values.count, "\(parameter.values), wanted \(values)",
        sourceLocation: sourceLocation)
}

func expect(
    _ numbers: [Double], _ wanted: [Double], sourceLocation: SourceLocation = #_sourceLocation
) {
    let close = zip(numbers, wanted).allSatisfy { abs($0 - $1) <= 1e-12 }
    #expect(close && numbers.count == wanted.count, "\(numbers), wanted \(wanted)", sourceLocation: sourceLocation)
}

/// Expects a process to have stopped with a sentence.
func expect(_ result: ExitTest.Result?, says sentence: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains(sentence), "it said: \(said.prefix(400))", sourceLocation: sourceLocation)
}
