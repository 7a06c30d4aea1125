import Interchange
import Lockstep
import TensorCore
import Training

/// A whole training of the built-in model: the loss of every step, and the parameters at the end.
func runLanguageModelCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.allow(only: ["kind", "V", "E", "H", "L", "T", "B", "steps", "lr", "clip", "seed"])
    let file = try golden.file
    let kind = try options.text("kind")
    guard let cell = Cell(rawValue: kind.lowercased()) else { throw GoldenError("no cell \(kind)") }
    let model = LanguageModel(
        ModelDescription(
            cell: cell,
            vocabularySize: try options.integer("V"), embeddingDim: try options.integer("E"),
            hiddenSize: try options.integer("H"), numLayers: try options.integer("L"), seed: 0))
    try model.load(stateDict: file.tensors(prefix: "initial."))
    let tokens = try file.integers("tokens")
    let (steps, length, batch) = (tokens.shape[0], tokens.shape[1] - 1, tokens.shape[2])
    let optimizer = Adam(model.parameters, learningRate: try options.number("lr"))
    let bound = Float(try options.number("clip"))

    var losses: [Float] = []
    for step in 0..<steps {
        let first = step * (length + 1) * batch
        let inputs = Array(tokens.values[first..<first + length * batch])
        let targets = Array(tokens.values[first + batch..<first + (length + 1) * batch])
        model.zeroGradients()
        let (sum, _) = crossEntropySum(model(IntTensor(inputs, shape: [length, batch])).logits, targets: targets)
        let mean = sum * (1 / Float(length * batch))
        mean.backward()
        clipGradientNorm(model.parameters, maxNorm: bound)
        optimizer.step()
        losses.append(mean.item)
    }
    var deviations = Deviations()
    try deviations.compare("loss", losses, file.floats("loss"))
    for (name, parameter) in model.namedParameters {
        try deviations.compare("final.\(name)", Tensor(parameter.values, shape: parameter.shape), in: file)
    }
    return deviations
}
