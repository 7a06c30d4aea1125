public import Lockstep

/// Lesson 2. A layer does the stepping: the whole sequence goes in at once, `[T, B, I]`, and all hidden states come out.
public struct RNNLesson: Lesson {
    public static let name = "rnn"
    public static let title = "An RNN layer over the whole sequence"
    public static let defaultLearningRate: Double = 0.05
    public static let defaultSeed: UInt64 = 0

    let rnn = RNN(inputSize: 4, hiddenSize: 4)

    public init() {}

    public func train(epochs: Int, learningRate: Double, epochDone: (Float, IntTensor) throws -> Void) rethrows {
        let inputs = Tensor.oneHot(Hello.input, numClasses: 4).reshaped([5, 1, 4])
        let optimizer = Adam(parameters, learningRate: learningRate)
        for _ in 0..<epochs {
            optimizer.zeroGradients()
            let outputs = rnn(inputs).output.reshaped([5, 4])
            let loss = crossEntropy(outputs, Hello.target)
            loss.backward()
            optimizer.step()
            try epochDone(loss.item, outputs.argmax(axis: 1))
        }
    }
}
