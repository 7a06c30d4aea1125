internal import Coordination
internal import Layers
internal import Sequences
package import TensorCore
internal import Tracing

/// Computes gradients of shards: the one thing that every worker, and the process without workers, does.
package final class ShardComputer {
    package let model: LanguageModel
    package let layout: ParameterLayout
    let forms: PackedLayout

    package init(_ description: ModelDescription) {
        model = LanguageModel(description)
        layout = ParameterLayout(model)
        forms = PackedLayout(model.parameters)
    }

    package var description: ModelDescription { model.description }

    /// Floats of carried state that the answer for some rows holds.
    private func stateSize(_ work: ShardWork, rows: Int) -> Int { work.state == nil ? 0 : rows * description.stateSize }

    /// Forward and backward over all rows of the work at once; only the sums over rows are kept apart, one a shard,
    /// and added in the order of the tree.
    ///
    /// - Parameter place: where the answers are made; nil for blocks of their own.
    /// - Returns: one answer for each aligned power-of-two group of the work's shards.
    package func compute(_ work: ShardWork, in place: AnswerPlace? = nil) -> [SubtreeAnswer] {
        let groups = ShardRange(work.shards).subtrees
        let shardRows = work.shards.map { work.localRows(of: $0) }
        let batch = work.batch
        let dropout =
            description.dropout > 0
            ? DropoutStream(seed: description.seed, step: work.step, firstRow: work.rows.lowerBound) : nil
        let (sum, each, state) = Trace.span(.forward) {
            let carried = work.state?.tensors(description)
            let (logits, state): (Tensor, RecurrentState?) =
                carried == nil
                ? (model.logits(batch.tokens, dropout: dropout), nil)
                : model(batch.tokens, state: carried, dropout: dropout)
            let (sum, each) = logits.crossEntropy(batch.targets, overwrites: true)
            return (sum, each, state)
        }

        let answers = groups.map { subtree in
            let rows = rows(of: subtree, in: work).count
            var place = place
            place?.lookups = rows * batch.steps
            return SubtreeAnswer(
                subtree: subtree, layout: layout, stateSize: stateSize(work, rows: rows), in: place)
        }
        let sink = ShardedGradients(layout: layout, groups: groups.map(\.count), sums: answers.map(\.storage))
        Trace.span(.backward) {
            sum.backward(cotangent: Tensor(1), shards: ShardLayout(rows: batch.rows, ranges: shardRows), into: sink)
        }

        let counted = zip(work.shards, shardRows).map { _, rows in Self.loss(of: rows, each: each, batch: batch) }
        let states = state.map { CarriedState($0, description) }
        let checksums = zip(counted, sink.sketches).map { counted, sketch in
            SubtreeAnswer.shardChecksum(loss: counted.loss, tokens: counted.tokens, sketch: sketch)
        }
        return zip(answers, sink.tables).map { answer, tables in
            var answer = answer
            let subtree = answer.subtree
            answer.take(tables)
            let own = subtree.first - work.shards.lowerBound..<subtree.end - work.shards.lowerBound
            let leaves = counted[own]
            answer.lossSum = leaves.map(\.loss).balancedSum(+)
            answer.tokens = leaves.reduce(0) { $0 + $1.tokens }
            answer.take(checksums: Array(checksums[own]))
            if let states { answer.state = states[rows(of: subtree, in: work)].values }
            return answer
        }
    }

    private func rows(of subtree: Subtree, in work: ShardWork) -> Range<Int> {
        work.localRows(of: subtree.first).lowerBound..<work.localRows(of: subtree.end - 1).upperBound
    }

    /// The loss of one shard: its tokens in (time, row) order, in double precision.
    private static func loss(of rows: Range<Int>, each: Tensor, batch: TokenBatch) -> (loss: Double, tokens: UInt64) {
        let losses = each.values
        var (sum, tokens) = (0.0, UInt64(0))
        for time in 0..<batch.steps {
            for position in time * batch.rows + rows.lowerBound..<time * batch.rows + rows.upperBound
            where batch.targets[position] >= 0 {
                sum += Double(losses[position])
                tokens += 1
            }
        }
        return (sum, tokens)
    }
}
