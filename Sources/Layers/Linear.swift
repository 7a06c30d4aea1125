public import TensorCore

/// x · Wᵀ + b, as PyTorch's `Linear`.
public final class Linear: Module {
    /// `[O, I]`, uniform in ±1/√I at first.
    public let weight: Parameter
    /// `[O]`, likewise; nil without bias.
    public let bias: Parameter?

    /// A weight `[O, I]` and, unless `bias` is false, a bias `[O]`, for I = `inFeatures` and O = `outFeatures`.
    public init(inFeatures: Int, outFeatures: Int, bias: Bool = true, generator: Generator = .default) {
        require(
            inFeatures > 0 && outFeatures > 0,
            "Linear: \(inFeatures) features to \(outFeatures); expected positive numbers")
        let bound = 1 / Float(inFeatures).squareRoot()
        weight = generator.uniform([outFeatures, inFeatures], bound: bound)
        self.bias = bias ? generator.uniform([outFeatures], bound: bound) : nil
    }

    /// - Parameter input: `[…, I]`.
    /// - Returns: `[…, O]`.
    public func callAsFunction(_ input: Tensor) -> Tensor { input.linear(weight: weight, bias: bias) }
}
