package import Coordination
package import TensorCore

/// Where a worker makes its answers, so that they need not be copied to be sent.
package struct AnswerPlace {
    /// Tokens of the work at hand: rows of a table that can have a gradient.
    var lookups = 0
    /// A block of that many floats; nil when there is no room.
    let take: (Int) -> Storage?

    package init(take: @escaping (Int) -> Storage?) { self.take = take }
}

/// What the computation of one aligned power-of-two group of shards gives: gradient sums, loss sum and token count, a checksum of
/// each shard's own part, and the carried state of its rows.
///
/// Gradients that travel whole, counts and state lie in one block; those of sparse tables are rows beside it.
package struct SubtreeAnswer: Sendable {
    /// Floats between the gradients and the state: the loss sum and the token count, 64 bits each.
    private static let countsSize = 4

    /// Tokens of one answer; as many as a step can have shards of them are still counted in 64 bits.
    private static let tokenLimit: UInt64 = 1 << 40

    package let subtree: Subtree
    /// Gradients `[denseCount]`, counts, checksums of the shards, state.
    package let storage: Storage
    /// One a shard: what tells which of them was computed otherwise than before. See `shardChecksum`.
    package private(set) var shardChecksums: [UInt64] = []
    /// By table, in the layout's order.
    package private(set) var tables: [RowGradient]
    private let denseCount: Int
    private let stateSize: Int

    /// Room for the answer of a group.
    ///
    /// - Parameters:
    ///   - room: shards of the group that the answer is to become; its own when left out.
    ///   - stateSize: floats of its rows' carried state.
    ///   - place: where the answer is to be made; nil for a block of its own.
    package init(
        subtree: Subtree, layout: ParameterLayout, room: Int? = nil, stateSize: Int = 0, in place: AnswerPlace? = nil
    ) {
        let size = Self.blockSize(layout, shards: room ?? subtree.count, stateSize: stateSize)
        let placed = place.flatMap { $0.take(size + Self.tableSize(layout, rows: $0.lookups)) }
        self.init(
            subtree: subtree, storage: placed ?? Storage(count: size), tables: [], denseCount: layout.denseCount,
            stateSize: stateSize)
    }

    private init(subtree: Subtree, storage: Storage, tables: [RowGradient], denseCount: Int, stateSize: Int) {
        self.subtree = subtree
        self.storage = storage
        self.tables = tables
        self.denseCount = denseCount
        self.stateSize = stateSize
    }

    private static func blockSize(_ layout: ParameterLayout, shards: Int, stateSize: Int) -> Int {
        layout.denseCount + countsSize + 2 * shards + stateSize
    }

    /// Floats that the tables take behind the block, when at most so many of their rows were looked up.
    private static func tableSize(_ layout: ParameterLayout, rows: Int) -> Int {
        layout.tables.reduce(0) { $0 + 1 + min(rows, $1.shape[0]) * (1 + $1.shape[1]) }
    }

    /// The same sums, of a group that the first shard stands for.
    func standing(for subtree: Subtree) -> SubtreeAnswer {
        var answer = SubtreeAnswer(
            subtree: subtree, storage: storage, tables: tables, denseCount: denseCount, stateSize: stateSize)
        answer.take(checksums: shardChecksums)
        return answer
    }

    /// A shard's part of a step as one number: its loss, its tokens, and the gradients of all vectors.
    static func shardChecksum(loss: Double, tokens: UInt64, sketch: UInt64) -> UInt64 {
        FloatChecksum.mix(FloatChecksum.mix(sketch, loss.bitPattern), tokens)
    }

    /// - Parameter checksums: one a shard of the group.
    mutating func take(checksums: [UInt64]) {
        require(
            checksums.count == subtree.count,
            "SubtreeAnswer: \(checksums.count) checksums for \(subtree.count) shards")
        shardChecksums = checksums
        for (index, checksum) in checksums.enumerated() { setWord(2 + index, checksum) }
    }

    mutating func take(_ tables: [RowGradient]) { self.tables = tables }

    /// Σ of the counted losses, in nats.
    package var lossSum: Double {
        get { Double(bitPattern: word(0)) }
        nonmutating set { setWord(0, newValue.bitPattern) }
    }

    /// Counted tokens.
    package var tokens: UInt64 {
        get { word(1) }
        nonmutating set { setWord(1, newValue) }
    }

    /// State of the group's rows after the step.
    package var state: [Float] {
        get {
            let first = statePlace
            return unsafe Array(UnsafeBufferPointer(start: storage.base + first, count: stateSize))
        }
        nonmutating set {
            let first = statePlace
            require(
                newValue.count == stateSize,
                "SubtreeAnswer: \(newValue.count) floats of state where there is room for \(stateSize)")
            _ = unsafe UnsafeMutableBufferPointer(start: storage.base + first, count: newValue.count)
                .update(fromContentsOf: newValue)
        }
    }

    /// The first parameter whose gradient is not a number everywhere, the loss, or the carried state; nil where all is well.
    ///
    /// - Parameter lossPart: what the loss is called then.
    func nonFinitePart(_ layout: ParameterLayout, lossPart: String) -> String? {
        guard storage.areFinite(0..<denseCount), tables.allSatisfy({ $0.values.areFinite(0..<$0.values.count) }) else {
            return layout.firstNonFinite(dense: storage, tables: tables)
        }
        guard lossSum.isFinite else { return lossPart }
        return storage.areFinite(statePlace..<statePlace + stateSize) ? nil : CarriedState.part
    }

    private var statePlace: Int { denseCount + Self.countsSize + 2 * subtree.count }

    /// left + right, in place of left; the state goes its own way.
    mutating func add(_ right: SubtreeAnswer, team: ThreadTeam = .alone) {
        storage.add(right.storage, count: denseCount, team: team)
        tables = zip(tables, right.tables).map { $0 + $1 }
        lossSum += right.lossSum
        tokens += right.tokens
        shardChecksums += right.shardChecksums
    }

    private func word(_ index: Int) -> UInt64 {
        unsafe UnsafeRawPointer(storage.base + denseCount).loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)
    }

    private func setWord(_ index: Int, _ value: UInt64) {
        unsafe UnsafeMutableRawPointer(storage.base + denseCount).storeBytes(
            of: value, toByteOffset: 8 * index, as: UInt64.self)
    }
}

/// Floats that are not an answer.
package struct SubtreeAnswerError: Error, CustomStringConvertible {
    package let description: String
}

// As it travels, in words of 32 bits: the block; then of each table the number of rows, the rows, their values.
extension SubtreeAnswer {
    package var travelling: Storage {
        guard !tables.isEmpty else { return storage.view(0..<statePlace + stateSize) }
        // An answer that has travelled holds its tables behind the block, too.
        let block = statePlace + stateSize
        let words = tables.reduce(block) { $0 + 1 + $1.rows.count * (1 + $1.width) }
        // Behind the block where there is room, and else in another one.
        let all: Storage
        if storage.count >= words {
            all = storage.view(0..<words)
        } else {
            all = Storage(count: words)
            unsafe all.base.update(from: storage.base, count: block)
        }
        var place = block
        func put(_ number: UInt32) {
            unsafe all.base[place] = Float(bitPattern: number)
            place += 1
        }
        for table in tables {
            put(UInt32(table.rows.count))
            for row in table.rows { put(UInt32(row)) }
            let count = table.rows.count * table.width
            unsafe (all.base + place).update(from: table.values.base, count: count)
            place += count
        }
        return all
    }

    /// Floats of the longest answer.
    package static func limit(_ layout: ParameterLayout, shards: Int, stateSize: Int) -> Int {
        layout.tables.reduce(blockSize(layout, shards: shards, stateSize: stateSize)) {
            $0 + 1 + $1.shape[0] * (1 + $1.shape[1])
        }
    }

    /// Reads what has travelled; every size and row is checked.
    package init(
        travelled block: Storage, subtree: Subtree, layout: ParameterLayout, stateSize: Int
    ) throws(SubtreeAnswerError) {
        var place = Self.blockSize(layout, shards: subtree.count, stateSize: stateSize)
        guard block.count >= place else {
            throw SubtreeAnswerError(
                description: "an answer of \(block.count) floats; expected at least \(place)")
        }
        func number(_ index: Int) -> Int { Int(unsafe block.base[index].bitPattern) }
        var tables: [RowGradient] = []
        for table in layout.tables {
            let (height, width) = (table.shape[0], table.shape[1])
            guard place < block.count, number(place) <= height, number(place) * (1 + width) <= block.count - place - 1
            else {
                throw SubtreeAnswerError(
                    description: "an answer of \(block.count) floats ends within the rows of \(table.name)")
            }
            let count = number(place)
            let rows = (0..<count).map { Int32(truncatingIfNeeded: number(place + 1 + $0)) }
            guard rows.allSatisfy({ $0 >= 0 && $0 < height }), zip(rows, rows.dropFirst()).allSatisfy({ $0 < $1 })
            else {
                throw SubtreeAnswerError(
                    description: "an answer with rows of \(table.name) that are not ascending below \(height)")
            }
            let values = Storage(count: count * width)
            unsafe values.base.update(from: block.base + place + 1 + count, count: count * width)
            tables.append(RowGradient(rows: rows, width: width, values: values))
            place += 1 + count * (1 + width)
        }
        guard place == block.count else {
            throw SubtreeAnswerError(description: "an answer of \(block.count) floats; expected \(place)")
        }
        self.init(
            subtree: subtree, storage: block, tables: tables, denseCount: layout.denseCount, stateSize: stateSize)
        shardChecksums = subtree.shards.indices.map { word(2 + $0 - subtree.first) }
        guard tokens <= Self.tokenLimit else {
            throw SubtreeAnswerError(description: "an answer for \(tokens) tokens; expected at most \(Self.tokenLimit)")
        }
    }
}
