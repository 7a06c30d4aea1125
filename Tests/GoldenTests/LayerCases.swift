import Interchange
import Lockstep
import TensorCore

func runEmbeddingCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.expectOnly(
        "num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq")
    let run = try ModuleRun(golden)
    let layer = Embedding(
        numEmbeddings: try options.need(options.int("num_embeddings"), "num_embeddings"),
        embeddingDim: try options.need(options.int("embedding_dim"), "embedding_dim"), paddingIdx: options.int("padding_idx"),
        maxNorm: options.float("max_norm"), normType: options.float("norm_type") ?? 2,
        scaleGradByFreq: options.bool("scale_grad_by_freq") ?? false)
    try run.load(into: layer)
    var deviations = try run.finish(["output": layer(run.file.integers("input"))], of: layer)
    if run.file["after.weight"] != nil {
        try deviations.compare("after.weight", Tensor(layer.weight.values, shape: layer.weight.shape), in: run.file)
    }
    return deviations
}

func runLinearCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.expectOnly("in_features", "out_features", "bias")
    let run = try ModuleRun(golden)
    let layer = Linear(
        inFeatures: try options.need(options.int("in_features"), "in_features"),
        outFeatures: try options.need(options.int("out_features"), "out_features"), bias: options.bool("bias") ?? true)
    try run.load(into: layer)
    return try run.finish(["output": layer(run.leaf("input").tensor)], of: layer)
}
