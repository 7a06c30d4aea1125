package import Sequences

/// What a worker needs beside the parameters to compute the gradient of some shards: it holds no data set.
package struct ShardWork: Sendable, Equatable {
    package var step: UInt64
    /// The shards to compute, of `shardCount` in the whole batch.
    package var shards: Range<Int>
    package var shardCount: Int
    /// B of the whole batch.
    package var globalRows: Int
    /// The rows of these shards.
    package var batch: TokenBatch
    /// The state that their sequences carry over from the step before; nil when they start from zero and carry nothing on.
    package var state: CarriedState?

    package init(
        step: UInt64, shards: Range<Int>, shardCount: Int, globalRows: Int, batch: TokenBatch, state: CarriedState?
    ) {
        self.step = step
        self.shards = shards
        self.shardCount = shardCount
        self.globalRows = globalRows
        self.batch = batch
        self.state = state
    }

    /// The rows of the global batch that belong to some of its shards.
    package static func rows(of shards: Range<Int>, shardCount: Int, globalRows: Int) -> Range<Int> {
        shards.lowerBound * globalRows / shardCount..<shards.upperBound * globalRows / shardCount
    }

    package var rows: Range<Int> { Self.rows(of: shards, shardCount: shardCount, globalRows: globalRows) }

    /// The rows of one of these shards, counted from the first row of the work.
    func localRows(of shard: Int) -> Range<Int> {
        let first = rows.lowerBound
        let own = Self.rows(of: shard..<shard + 1, shardCount: shardCount, globalRows: globalRows)
        return own.lowerBound - first..<own.upperBound - first
    }
}

extension ShardWork {
    /// Whether a model can compute it: tokens within its vocabulary, state of its size.
    package func fits(_ model: ModelDescription) -> Bool {
        let classes = Int32(clamping: model.vocabularySize)
        return batch.inputs.allSatisfy { $0 >= 0 && $0 < classes } && batch.targets.allSatisfy { $0 < classes }
            && (state == nil || state?.rowSize == model.stateSize)
    }
}

/// Bytes that are not an assignment.
package struct ShardWorkError: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

extension ShardWork {
    /// Little-endian: step, shard range, shard count, rows, T, presence and row size of the state, inputs, targets, state.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64 + 8 * batch.inputs.count + 4 * (state?.values.count ?? 0))
        writer.write(step)
        for number in [
            shards.lowerBound, shards.upperBound, shardCount, globalRows, batch.steps, batch.rows, state?.rowSize ?? 0,
        ] {
            writer.write(UInt32(number))
        }
        writer.write(batch.inputs)
        writer.write(batch.targets)
        if let state { writer.write(state.values) }
        return writer.bytes
    }

    /// Reads an assignment; every size is checked before anything is taken from it.
    package init(decoding bytes: some RandomAccessCollection<UInt8>) throws(ShardWorkError) {
        var reader = ByteReader(Array(bytes))
        guard let step = reader.readUInt64(), let numbers = reader.readUInt32s(7) else {
            throw ShardWorkError(description: "assignment of \(bytes.count) bytes: shorter than its head")
        }
        let (first, end, shardCount, globalRows) = (numbers[0], numbers[1], numbers[2], numbers[3])
        let (steps, rows, rowSize) = (numbers[4], numbers[5], numbers[6])
        // The batch of no run is larger; products of these numbers fit a machine word.
        guard first < end, end <= shardCount, shardCount <= globalRows, globalRows <= RunConfiguration.batchLimit,
            Self.rows(of: first..<end, shardCount: shardCount, globalRows: globalRows).count == rows, steps > 0
        else {
            throw ShardWorkError(
                description:
                    "assignment: shards \(first)..<\(end) of \(shardCount) with \(rows) of \(globalRows) rows do not belong together"
            )
        }
        let (tokens, tooMany) = steps.multipliedReportingOverflow(by: rows)
        let (states, tooLarge) = rowSize.multipliedReportingOverflow(by: rows)
        guard !tooMany, !tooLarge, tokens <= bytes.count, states <= bytes.count,
            let inputs = reader.readInt32s(tokens), let targets = reader.readInt32s(tokens),
            let state = reader.readFloats(states), reader.isAtEnd
        else {
            throw ShardWorkError(
                description:
                    "assignment of \(bytes.count) bytes: not the size of \(steps) steps, \(rows) rows and \(rowSize) floats of state a row"
            )
        }
        self.init(
            step: step, shards: first..<end, shardCount: shardCount, globalRows: globalRows,
            batch: TokenBatch(steps: steps, rows: rows, inputs: inputs, targets: targets),
            state: rowSize == 0 ? nil : CarriedState(rowSize: rowSize, values: state))
    }
}
