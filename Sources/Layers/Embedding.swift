public import TensorCore

/// A table of vectors, one a token, as PyTorch's `Embedding`.
public final class Embedding: Module {
    /// `[V, E]`, standard normal at first.
    public let weight: Parameter

    public init(numEmbeddings: Int, embeddingDim: Int, generator: Generator) {
        weight = generator.normal([numEmbeddings, embeddingDim])
    }

    /// - Parameter tokens: T·B of them, time-major.
    /// - Returns: `[T, B, E]`.
    public func callAsFunction(_ tokens: [Int32], steps: Int, batch: Int) -> Tensor {
        Tensor.embedding(tokens, steps: steps, batch: batch, weight: weight)
    }
}
