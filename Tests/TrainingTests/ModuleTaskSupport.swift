import Coordination
import Layers
import Optimizers
import TensorCore
import Training

/// Classes of short sequences of tokens: rows of a sparse table, packed, through two layers both ways, with dropout
/// everywhere.
struct Tagging: DistributedTask {
    struct Model: Module {
        let embedding = Embedding(numEmbeddings: 9, embeddingDim: 5, paddingIdx: 0, sparse: true)
        let dropout = Dropout(p: 0.3)
        let encoder = GRU(inputSize: 5, hiddenSize: 7, numLayers: 2, dropout: 0.2, bidirectional: true)
        /// Tokens scored by themselves: a second sparse table.
        let shortcut = Embedding(numEmbeddings: 9, embeddingDim: 3, scaleGradByFreq: true, sparse: true)
        let head = Linear(inFeatures: 14, outFeatures: 3)
    }

    struct Example: Codable, Sendable {
        let tokens: [Int32]
        let target: Int32
    }

    var rows = 19

    func makeModel() -> Model { Model() }

    func batch(step: Int) -> [Example] {
        var random = RunDirectoryTesting.Generator(UInt64(step) &* 77 &+ 5)
        return (0..<rows).map { _ in
            let tokens = (0..<Int.random(in: 1...6, using: &random)).map { _ in Int32.random(in: 1..<9, using: &random)
            }
            return Example(tokens: tokens, target: tokens[0] % 3)
        }
    }

    func loss(_ model: Model, _ examples: [Example]) -> (sum: Tensor, count: Int) {
        let lengths = examples.map(\.tokens.count)
        let steps = lengths.max() ?? 0
        let padded = IntTensor(
            (0..<steps).flatMap { time in examples.map { time < $0.tokens.count ? $0.tokens[time] : 0 } },
            shape: [steps, examples.count])
        let embedded = model.dropout(model.embedding(padded))
        let state = model.encoder(packPaddedSequence(embedded, lengths: lengths)).state
        let scores =
            model.head(Tensor.concatenate([state[2], state[3]], axis: -1)) + model.shortcut(padded).sum(axis: 0)
        let targets = IntTensor(examples.map(\.target))
        return (crossEntropy(scores, targets, reduction: .sum), examples.count)
    }
}

/// The sum of numbers times a weight: the weight's gradient is the sum of the numbers.
struct Summing: DistributedTask {
    struct Model: Module {
        let weight = Parameter([1], shape: [1])
    }

    let numbers: [Float]

    func makeModel() -> Model { Model() }
    func batch(step: Int) -> [Float] { numbers }
    func loss(_ model: Model, _ examples: [Float]) -> (sum: Tensor, count: Int) {
        ((Tensor(examples) * model.weight.tensor).sum(), examples.count)
    }
}

extension ModuleTrainer {
    /// A training by plain gradient descent with momentum.
    convenience init(_ task: Task, shards: Int, clipNorm: Float = 0) {
        self.init(
            task, steps: 1_000_000, shards: shards, seed: 3, clipNorm: clipNorm, learningRate: nil,
            optimizer: { SGD($0, learningRate: 0.1, momentum: 0.9) })
    }

    /// The bits of all parameters.
    var bits: [UInt32] { computer.model.parameters.flatMap { $0.values.map(\.bitPattern) } }
}

extension Storage {
    /// The first words of a block, or all with some more.
    func resized(_ count: Int) -> Storage {
        var words = Tensor(shape: [self.count], storage: self).values
        words = Array(words.prefix(count)) + Array(repeating: 0, count: max(count - words.count, 0))
        return Storage(words)
    }

    func replacing(_ index: Int, with word: UInt32) -> Storage {
        var words = Tensor(shape: [count], storage: self).values
        words[index] = Float(bitPattern: word)
        return Storage(words)
    }

    var words: [UInt32] { Tensor(shape: [count], storage: self).values.map(\.bitPattern) }
}
