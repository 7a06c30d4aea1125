public import TensorCore

/// A table of vectors, one a token, as PyTorch's `Embedding`.
public final class Embedding: Module {
    /// `[V, E]`, standard normal at first; the padding row is zero.
    public let weight: Parameter
    /// The token whose row gets no gradient, counted from the front.
    public let paddingIdx: Int?
    /// The largest norm of a row that is looked up; nil for any.
    public let maxNorm: Float?
    /// p of the norm that `maxNorm` bounds.
    public let normType: Float
    /// Whether a row's gradient is divided by how often its token was looked up.
    public let scaleGradByFreq: Bool

    /// - Parameters:
    ///   - paddingIdx: a token whose row is zero at first and gets no gradient; negative ones count from the end.
    ///   - maxNorm: rows of a larger norm are scaled down to it, in the table itself, when they are looked up.
    ///   - normType: p of the p-norm for `maxNorm`.
    ///   - scaleGradByFreq: each row's gradient is divided by how often its token is among those looked up.
    ///   - sparse: gradients are kept, sent and added as the rows that were looked up, with the bits that whole tables would give.
    public init(
        numEmbeddings: Int, embeddingDim: Int, paddingIdx: Int? = nil, maxNorm: Float? = nil, normType: Float = 2,
        scaleGradByFreq: Bool = false, sparse: Bool = false, generator: Generator = .default
    ) {
        require(
            numEmbeddings > 0 && embeddingDim > 0,
            "Embedding: \(numEmbeddings) embeddings of \(embeddingDim); expected positive numbers")
        require(
            normType > 0 && maxNorm.map { $0 >= 0 } ?? true,
            normType > 0
                ? "Embedding: largest norm \(maxNorm ?? 0); expected 0 or a positive number"
                : "Embedding: norm type \(normType); expected a positive number")
        let padding = paddingIdx.map { $0 < 0 ? $0 + numEmbeddings : $0 }
        if let padding {
            require(
                (0..<numEmbeddings).contains(padding),
                "Embedding: padding index \(paddingIdx ?? 0) is outside a table of \(numEmbeddings) rows")
        }
        weight = generator.normal([numEmbeddings, embeddingDim], sparseGradient: sparse)
        if let padding {
            var values = weight.values
            values.replaceSubrange(
                padding * embeddingDim..<(padding + 1) * embeddingDim, with: repeatElement(0, count: embeddingDim))
            weight.assign(values)
        }
        self.paddingIdx = padding
        self.maxNorm = maxNorm
        self.normType = normType
        self.scaleGradByFreq = scaleGradByFreq
    }

    /// - Parameter tokens: of any shape `[…]`; `[T, B]` in the built-in tasks.
    /// - Returns: `[…, E]`.
    public func callAsFunction(_ tokens: IntTensor) -> Tensor {
        if let maxNorm { weight.renormalizeRows(tokens, maxNorm: maxNorm, normType: normType) }
        return Tensor.embedding(
            tokens, weight: weight,
            options: EmbeddingOptions(paddingIndex: paddingIdx, scalesGradientByFrequency: scaleGradByFreq))
    }
}
