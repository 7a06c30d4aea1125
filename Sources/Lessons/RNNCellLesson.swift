public import Lockstep

/// Lesson 1. A cell, stepped by hand: each character goes in as a one-hot vector, and the hidden state is the guess of the next one.
public struct RNNCellLesson: Lesson {
    public static let name = "rnn-cell"
    public static let title = "An RNN cell, stepped by hand"
    public static let defaultLearningRate: Double = 0.1
    public static let defaultSeed: UInt64 = 0

    let rnncell = RNNCell(inputSize: 4, hiddenSize: 4)

    public init() {}

    public func train(epochs: Int, learningRate: Double, epochDone: (Float, IntTensor) throws -> Void) rethrows {
        let inputs = Tensor.oneHot(Hello.input, numClasses: 4)
        let optimizer = Adam(parameters, learningRate: learningRate)
        for _ in 0..<epochs {
            optimizer.zeroGradients()
            var hidden = Tensor.zeros([1, 4])
            var loss = Tensor(0)
            var outputs: [Tensor] = []
            for step in 0..<5 {
                hidden = rnncell(inputs[step].reshaped([1, 4]), hidden)
                loss = loss + crossEntropy(hidden, IntTensor([Hello.target.values[step]]))
                outputs.append(hidden)
            }
            loss.backward()
            optimizer.step()
            try epochDone(loss.item, Tensor.concatenate(outputs, axis: 0).argmax(axis: 1))
        }
    }

    public static func line(epoch: Int, of epochs: Int, loss: Float, string: String) -> String {
        "Predicted string: \(string), Epoch [\(epoch)/\(epochs)] loss=\(fixed(loss, digits: 4))"
    }
}
