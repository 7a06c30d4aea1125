public import Lockstep

/// Lesson 3. An embedding in place of one-hot vectors, two layers, batch first, and a linear layer that scores the characters.
public struct EmbeddingLesson: Lesson {
    public static let name = "embedding"
    public static let title = "Embedding, two RNN layers, and a linear layer"
    public static let defaultLearningRate: Double = 0.05
    public static let defaultSeed: UInt64 = 0

    let emb = Embedding(numEmbeddings: 4, embeddingDim: 10)
    let rnn = RNN(inputSize: 10, hiddenSize: 8, numLayers: 2, batchFirst: true)
    let fc = Linear(inFeatures: 8, outFeatures: 4)

    public init() {}

    /// - Parameter tokens: `[B, T]`.
    /// - Returns: scores of the characters, `[B·T, 4]`.
    func callAsFunction(_ tokens: IntTensor) -> Tensor {
        fc(rnn(emb(tokens)).output).reshaped([tokens.count, 4])
    }

    public func train(epochs: Int, learningRate: Double, epochDone: (Float, IntTensor) throws -> Void) rethrows {
        let input = Hello.input.reshaped([1, 5])
        let optimizer = Adam(parameters, learningRate: learningRate)
        for _ in 0..<epochs {
            optimizer.zeroGradients()
            let outputs = self(input)
            let loss = crossEntropy(outputs, Hello.target)
            loss.backward()
            optimizer.step()
            try epochDone(loss.item, outputs.argmax(axis: 1))
        }
    }
}
