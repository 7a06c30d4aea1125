/// Some of a step's shards, kept as sorted ranges that neither touch nor overlap.
package struct ShardSet: Equatable, Sendable {
    package private(set) var pieces: [ShardRange] = []

    package init() {}

    package init(_ range: ShardRange) {
        pieces = [range]
    }

    package var isEmpty: Bool { pieces.isEmpty }
    package var count: Int { pieces.reduce(0) { $0 + $1.count } }

    package func contains(_ shard: Int) -> Bool {
        pieces.contains { $0.shards.contains(shard) }
    }

    package mutating func insert(_ shards: Range<Int>) {
        guard !shards.isEmpty else { return }
        var merged = shards
        var kept: [ShardRange] = []
        for piece in pieces {
            if piece.end < merged.lowerBound || piece.first > merged.upperBound {
                kept.append(piece)
            } else {
                merged = min(piece.first, merged.lowerBound)..<max(piece.end, merged.upperBound)
            }
        }
        let place = kept.firstIndex { $0.first > merged.lowerBound } ?? kept.count
        kept.insert(ShardRange(merged), at: place)
        pieces = kept
    }

    package mutating func remove(_ shards: Range<Int>) {
        var kept: [ShardRange] = []
        for piece in pieces {
            let before = piece.first..<max(piece.first, min(piece.end, shards.lowerBound))
            let after = min(piece.end, max(piece.first, shards.upperBound))..<piece.end
            if shards.isEmpty || before == piece.shards {
                kept.append(piece)
                continue
            }
            if !before.isEmpty { kept.append(ShardRange(before)) }
            if !after.isEmpty { kept.append(ShardRange(after)) }
        }
        pieces = kept
    }
}
