internal import Dispatch
internal import Layers
package import Sequences
internal import Synchronization
internal import TensorCore

/// How well a model does on sequences that it was not trained on.
package struct Validation: Sendable, Equatable, Codable {
    /// Mean loss a counted token, in nats.
    package let loss: Double
    /// Sequences of which every counted token is the most likely one, and how many there were.
    ///
    /// For a set that is asked for an answer this is exact match under greedy decoding: the decoder's first wrong symbol is
    /// also the first one that is wrong here.
    package let exact: Int
    package let sequences: Int
    /// Counted tokens.
    package let tokens: Int

    package var exactMatch: Double { sequences == 0 ? 0 : Double(exact) / Double(sequences) }

    /// Scores all validation batches of a source, some of them at a time; their sums are added in order.
    ///
    /// - Parameter shouldStop: asked before each batch.
    /// - Returns: nil when it was stopped.
    package static func run(
        _ model: LanguageModel, on batches: TokenBatches, threads: Int, shouldStop: @escaping @Sendable () -> Bool
    ) -> Validation? {
        let shared = SharedModel(model: model)
        let parts = Mutex<[Int: Part]>([:])
        let next = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, batches.count))) { _ in
            FloatingPointEnvironment.prepareThread()
            while let index = next.withLock({ next in
                defer { next += 1 }
                return next < batches.count && !shouldStop() ? next : nil
            }) {
                let part = withoutGradients { score(shared.model, batches[index]) }
                parts.withLock { $0[index] = part }
            }
        }
        guard parts.withLock({ $0.count }) == batches.count else { return nil }
        let total = parts.withLock { parts in
            batches.indices.reduce(into: Part()) { total, index in total.add(parts[index] ?? Part()) }
        }
        return Validation(
            loss: total.tokens == 0 ? 0 : total.loss / Double(total.tokens), exact: total.exact,
            sequences: total.sequences, tokens: total.tokens)
    }

    /// The same, to its end.
    package static func run(_ model: LanguageModel, on batches: TokenBatches, threads: Int) -> Validation {
        guard let whole = run(model, on: batches, threads: threads, shouldStop: { false }) else {
            fatalError("Validation: it stopped although nobody asked")
        }
        return whole
    }

    private static func score(_ model: LanguageModel, _ batch: TokenBatch) -> Part {
        let logits = model.logits(batch.tokens)
        let losses = crossEntropySum(logits, targets: batch.targets).each.values
        var part = Part()
        for (loss, target) in zip(losses, batch.targets) where target >= 0 {
            part.loss += Double(loss)
            part.tokens += 1
        }
        part.exact = batch.exactRows(logits.argmaxOfRows())
        part.sequences = batch.rows
        return part
    }

    private struct Part {
        var loss = 0.0
        var tokens = 0
        var exact = 0
        var sequences = 0

        mutating func add(_ other: Part) {
            loss += other.loss
            tokens += other.tokens
            exact += other.exact
            sequences += other.sequences
        }
    }

    /// Nobody writes parameters while a model is validated.
    private struct SharedModel: @unchecked Sendable {
        let model: LanguageModel
    }
}
