import Interchange
import Lockstep
import TensorCore

func runEmbeddingCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.allow(only: [
        "num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse",
    ])
    let run = try ModuleRun(golden)
    let layer = Embedding(
        numEmbeddings: try options.integer("num_embeddings"),
        embeddingDim: try options.integer("embedding_dim"),
        paddingIdx: try options.optional("padding_idx") { try options.integer($0) },
        maxNorm: try options.optional("max_norm") { Float(try options.number($0)) },
        normType: Float(try options.number("norm_type", default: 2)),
        scaleGradByFreq: try options.flag("scale_grad_by_freq", default: false),
        sparse: try options.flag("sparse", default: false))
    try run.load(into: layer)
    var deviations = try run.finish(["output": layer(run.file.integers("input"))], of: layer)
    if run.file["after.weight"] != nil {
        try deviations.compare("after.weight", Tensor(layer.weight.values, shape: layer.weight.shape), in: run.file)
    }
    return deviations
}

func runLinearCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.allow(only: ["in_features", "out_features", "bias"])
    let run = try ModuleRun(golden)
    let layer = Linear(
        inFeatures: try options.integer("in_features"),
        outFeatures: try options.integer("out_features"), bias: try options.flag("bias", default: true))
    try run.load(into: layer)
    return try run.finish(["output": layer(run.leaf("input").tensor)], of: layer)
}
