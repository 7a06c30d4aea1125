import Interchange
import Lockstep
import TensorCore

/// Cross-entropy of scores and target classes.
func runCrossEntropyCase(_ golden: GoldenCase) throws -> Deviations {
    let options = golden.options
    try options.allow(only: ["reduction", "ignore_index", "label_smoothing", "weighted"])
    let run = try ModuleRun(golden)
    let loss = CrossEntropyLoss(
        weight: try options.flag("weighted", default: false) ? try run.file.tensor("weight") : nil,
        ignoreIndex: try options.integer("ignore_index", default: -100),
        reduction: try options.choice("reduction", default: .mean),
        labelSmoothing: Float(try options.number("label_smoothing", default: 0)))
    let output = try loss(run.leaf("input").tensor, run.file.integers("target"))
    return try run.finish(["output": output], parameters: [])
}
