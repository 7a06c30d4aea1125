public import Layers
public import TensorCore

/// A model of your own, what it learns from, and how far off it is: all that training across processes needs to know.
///
/// Every process runs the same program and makes the same task. The coordinator asks for the batch of each step and sends every worker
/// the examples of some shards; workers make the model, are sent its parameters, and send back the gradients of the loss.
///
/// ```swift
/// struct Parity: DistributedTask {
///     struct Model: Module {
///         let rnn = GRU(inputSize: 1, hiddenSize: 16)
///         let head = Linear(inFeatures: 16, outFeatures: 2)
///     }
///     struct Example: Codable { let bits: [Float]; let odd: Int32 }
///
///     func makeModel() -> Model { Model() }
///     func batch(step: Int) -> [Example] { … }
///     func loss(_ model: Model, _ examples: [Example]) -> (sum: Tensor, count: Int) { … }
/// }
/// ```
public protocol DistributedTask: Sendable {
    /// What is trained.
    associatedtype Model: Module
    /// One row of a batch, as it travels.
    associatedtype Example: Codable & Sendable

    /// The model; its first parameters come from the default generator, which is seeded before.
    func makeModel() -> Model

    /// The examples of a step, counted from 0: a function of the step alone, of at least as many as there are shards.
    func batch(step: Int) -> [Example]

    /// The loss of some of a batch's examples, in order.
    ///
    /// - Returns: `sum`, a scalar: the sum over what was counted, not the mean; `count`: how much that was, tokens or examples. The
    ///   gradient is divided once by the whole batch's count, so that sequences of different lengths are weighted exactly.
    func loss(_ model: Model, _ examples: [Example]) -> (sum: Tensor, count: Int)
}
