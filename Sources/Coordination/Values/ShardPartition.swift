/// Cuts what is pending into nearly equal contiguous ranges.
package enum ShardPartition {
    /// At most `parts` ranges, in shard order, none of them across a gap.
    ///
    /// Of one unbroken piece the ranges differ by at most one shard, the longer ones first. Where there are more pieces
    /// than parts the smallest pieces are left out; where there are more parts than shards each shard is a range.
    package static func split(_ pending: ShardSet, into parts: Int) -> [ShardRange] {
        let pieces = pending.pieces
        guard parts > 0, !pieces.isEmpty else { return [] }

        // Each part goes where it shortens the longest range.
        var cuts = [Int](repeating: 0, count: pieces.count)
        for _ in 0..<parts {
            var longest: (piece: Int, length: Double)?
            for (index, piece) in pieces.enumerated() where cuts[index] < piece.count {
                let length = cuts[index] == 0 ? Double.infinity : Double(piece.count) / Double(cuts[index])
                let isLonger =
                    longest.map { length > $0.length || (length == $0.length && piece.count > pieces[$0.piece].count) }
                    ?? true
                if isLonger { longest = (index, length) }
            }
            guard let longest else { break }
            cuts[longest.piece] += 1
        }

        var ranges: [ShardRange] = []
        for (piece, count) in zip(pieces, cuts) where count > 0 {
            let (size, longer) = piece.count.quotientAndRemainder(dividingBy: count)
            var first = piece.first
            for index in 0..<count {
                let range = ShardRange(first: first, count: size + (index < longer ? 1 : 0))
                ranges.append(range)
                first = range.end
            }
        }
        return ranges
    }
}
