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
    /// - Parameters:
    ///   - done: what was done of it before, by whoever had the same parameters.
    ///   - keep: is given what is done every two seconds, and when it is stopped.
    ///   - shouldStop: asked before each batch.
    /// - Returns: nil when it was stopped.
    package static func run(
        _ model: LanguageModel, on batches: TokenBatches, threads: Int, after done: ValidationSums = ValidationSums(),
        keep: @escaping @Sendable (ValidationSums) throws -> Void = { _ in },
        shouldStop: @escaping @Sendable () -> Bool
    ) throws -> Validation? {
        let sums = try self.sums(
            model, on: batches, upTo: batches.count, threads: threads, after: done, keep: keep, shouldStop: shouldStop)
        guard sums.batches == batches.count else {
            if sums.batches > done.batches { try keep(sums) }
            return nil
        }
        return Validation(
            loss: sums.tokens == 0 ? 0 : sums.loss / Double(sums.tokens), exact: sums.exact,
            sequences: sums.sequences, tokens: sums.tokens)
    }

    /// What the first batches come to, or fewer of them when it is stopped.
    static func sums(
        _ model: LanguageModel, on batches: TokenBatches, upTo end: Int, threads: Int,
        after done: ValidationSums = ValidationSums(),
        keep: @escaping @Sendable (ValidationSums) throws -> Void = { _ in },
        shouldStop: @escaping @Sendable () -> Bool = { false }
    ) throws -> ValidationSums {
        struct Progress {
            var sums: ValidationSums
            var next: Int
            /// Of batches behind one that is not done yet.
            var parts: [Int: ValidationSums] = [:]
            var keptAt = ContinuousClock.now
            var failure: (any Error)?
        }
        let shared = SharedModel(model: model)
        let progress = Mutex(Progress(sums: done, next: done.batches))
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, end - done.batches))) { _ in
            FloatingPointEnvironment.prepareThread()
            while let index = progress.withLock({ progress -> Int? in
                guard progress.next < end, progress.failure == nil, !shouldStop() else { return nil }
                defer { progress.next += 1 }
                return progress.next
            }) {
                let part = withoutGradients { score(shared.model, batches[index]) }
                progress.withLock { progress in
                    progress.parts[index] = part
                    while let part = progress.parts.removeValue(forKey: progress.sums.batches) {
                        progress.sums.add(part)
                    }
                    guard ContinuousClock.now - progress.keptAt >= .seconds(2) else { return }
                    do { try keep(progress.sums) } catch { progress.failure = error }
                    progress.keptAt = .now
                }
            }
        }
        return try progress.withLock { progress in
            if let failure = progress.failure { throw failure }
            return progress.sums
        }
    }

    /// The same, to its end.
    package static func run(
        _ model: LanguageModel, on batches: TokenBatches, threads: Int, after done: ValidationSums = ValidationSums()
    ) -> Validation {
        guard let whole = try? run(model, on: batches, threads: threads, after: done, shouldStop: { false }) else {
            fatalError("Validation: it stopped although nobody asked")
        }
        return whole
    }

    private static func score(_ model: LanguageModel, _ batch: TokenBatch) -> ValidationSums {
        let logits = model.logits(batch.tokens)
        let losses = crossEntropySum(logits, targets: batch.targets).each.values
        var part = ValidationSums(batches: 1)
        for (loss, target) in zip(losses, batch.targets) where target >= 0 {
            part.loss += Double(loss)
            part.tokens += 1
        }
        part.exact = batch.exactRows(logits.argmaxOfRows())
        part.sequences = batch.rows
        return part
    }

    /// Nobody writes parameters while a model is validated.
    private struct SharedModel: @unchecked Sendable {
        let model: LanguageModel
    }
}

/// What the first batches of a validation have come to.
package struct ValidationSums: Sendable, Equatable, Codable {
    package var batches = 0
    /// Added batch by batch, from the first on.
    package var loss = 0.0
    package var tokens = 0
    package var exact = 0
    package var sequences = 0

    package init(batches: Int = 0) { self.batches = batches }

    mutating func add(_ other: ValidationSums) {
        batches += other.batches
        loss += other.loss
        tokens += other.tokens
        exact += other.exact
        sequences += other.sequences
    }
}
