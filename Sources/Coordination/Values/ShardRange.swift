/// The most shards that a run may have; bounds what a message can announce.
package let maximumShards = 1 << 20

/// A contiguous piece of a step's shards: what one worker is given at once.
package struct ShardRange: Hashable, Sendable, CustomStringConvertible {
    package let first: Int
    package let count: Int

    /// - Precondition: `first >= 0`, `count >= 1`, and the end is no further than `maximumShards`.
    package init(first: Int, count: Int) {
        precondition(
            first >= 0 && count >= 1 && count <= maximumShards && first <= maximumShards - count,
            "ShardRange: first \(first), count \(count) is no piece of at most \(maximumShards) shards")
        self.first = first
        self.count = count
    }

    package init(_ shards: Range<Int>) {
        self.init(first: shards.lowerBound, count: shards.count)
    }

    package var end: Int { first + count }
    package var shards: Range<Int> { first..<end }
    package var description: String { "[\(first), \(end))" }

    /// The fewest complete aligned power-of-two pieces that make up this range, in shard order.
    ///
    /// Of a range out of S shards there are at most 2·log2(S). Any contiguous run of the pieces has just those
    /// pieces as its own decomposition, so what is left of a partly answered range can be computed by another worker.
    package var subtrees: [Subtree] {
        var pieces: [Subtree] = []
        var next = first
        while next < end {
            let piece = Subtree.largest(startingAt: next, within: end - next)
            pieces.append(piece)
            next = piece.end
        }
        return pieces
    }
}

/// An aligned power-of-two range of shards: a node of the reduction tree, whose gradients travel as one sum.
package struct Subtree: Hashable, Sendable, CustomStringConvertible {
    package let first: Int
    package let count: Int

    /// Nil when the count is no power of two or the first shard is no multiple of it.
    package init?(first: Int, count: Int) {
        guard count >= 1, count <= maximumShards, count & (count - 1) == 0 else { return nil }
        guard first >= 0, first & (count - 1) == 0, first <= maximumShards - count else { return nil }
        self.init(aligned: first, count: count)
    }

    private init(aligned first: Int, count: Int) {
        self.first = first
        self.count = count
    }

    /// All `shards` of a step.
    ///
    /// - Precondition: `shards` is a power of two.
    package static func root(of shards: Int) -> Subtree {
        guard let root = Subtree(first: 0, count: shards) else {
            preconditionFailure("Subtree.root: \(shards) shards; wanted a power of two up to \(maximumShards)")
        }
        return root
    }

    /// One shard.
    package static func leaf(_ shard: Int) -> Subtree {
        Subtree(aligned: shard, count: 1)
    }

    /// The largest piece that starts at `first`, is aligned there and has at most `limit` shards.
    ///
    /// - Precondition: `limit >= 1`.
    package static func largest(startingAt first: Int, within limit: Int) -> Subtree {
        precondition(limit >= 1, "Subtree.largest: within \(limit) shards; wanted at least 1")
        let fitting = 1 << (Int.bitWidth - 1 - limit.leadingZeroBitCount)
        let aligned = first == 0 ? fitting : 1 << first.trailingZeroBitCount
        return Subtree(aligned: first, count: min(fitting, aligned))
    }

    package var end: Int { first + count }
    package var shards: Range<Int> { first..<end }
    package var range: ShardRange { ShardRange(first: first, count: count) }
    package var description: String { "[\(first), \(end))" }
}
