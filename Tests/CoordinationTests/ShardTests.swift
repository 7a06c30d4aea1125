import Coordination
import Testing

@Suite struct ShardTests {
    @Test func `a run id reads what it writes`() {
        var generator = SeededGenerator(seed: 1)
        let run = RunID.random(using: &generator)
        #expect(RunID(run.description) == run)
        #expect(
            RunID(low: 0x0807_0605_0403_0201, high: 0x100F_0E0D_0C0B_0A09).description
                == "0102030405060708090a0b0c0d0e0f10")
        for text in ["", "01", "0102030405060708090a0b0c0d0e0f1g", "0102030405060708090a0b0c0d0e0f1011"] {
            #expect(RunID(text) == nil)
        }
    }

    @Test func `a range is cut into its largest aligned pieces`() {
        let pieces = ShardRange(first: 3, count: 10).subtrees.map(\.description)
        #expect(pieces == ["[3, 4)", "[4, 8)", "[8, 12)", "[12, 13)"])
        #expect(ShardRange(first: 0, count: 16).subtrees == [.root(of: 16)])
    }

    @Test func `every range of 64 shards has at most twelve pieces, which are whole, aligned and in order`() {
        for first in 0..<64 {
            for count in 1...(64 - first) {
                let range = ShardRange(first: first, count: count)
                let pieces = range.subtrees
                #expect(pieces.count <= 12)
                #expect(pieces.flatMap { Array($0.shards) } == Array(range.shards))
                #expect(pieces.allSatisfy { $0.first % $0.count == 0 && $0.count.nonzeroBitCount == 1 })
            }
        }
    }

    @Test func `part of a range has the same pieces as the range has there`() {
        for first in 0..<16 {
            for count in 1...(16 - first) {
                let pieces = ShardRange(first: first, count: count).subtrees
                for start in pieces.indices {
                    for end in start..<pieces.count {
                        let part = ShardRange(pieces[start].first..<pieces[end].end)
                        #expect(part.subtrees == Array(pieces[start...end]))
                    }
                }
            }
        }
    }

    @Test(arguments: [(0, 0), (0, 3), (2, 4), (-2, 2), (1, 2), (0, 1 << 21), (1 << 20, 1), (0, -1)])
    func `what is no aligned power of two is no subtree`(first: Int, count: Int) {
        #expect(Subtree(first: first, count: count) == nil)
    }

    @Test func `a set of shards behaves as a set of integers`() {
        for seed in testSeeds(20) {
            var generator = SeededGenerator(seed: seed)
            var shards = ShardSet()
            var model: Set<Int> = []
            for _ in 0..<60 {
                let first = Int.random(in: 0..<32, using: &generator)
                let change = first..<Int.random(in: first...32, using: &generator)
                if Bool.random(using: &generator) {
                    shards.insert(change)
                    model.formUnion(change)
                } else {
                    shards.remove(change)
                    model.subtract(change)
                }
                #expect(shards.pieces.flatMap { Array($0.shards) } == model.sorted(), replay(seed))
                let touching = zip(shards.pieces, shards.pieces.dropFirst()).contains { $0.end >= $1.first }
                #expect(!touching, replay(seed))
            }
        }
    }

    @Test func `shards are split nearly equally and in order`() {
        let ranges = ShardPartition.split(ShardSet(ShardRange(first: 0, count: 16)), into: 3)
        #expect(ranges.map(\.shards) == [0..<6, 6..<11, 11..<16])
        #expect(
            ShardPartition.split(ShardSet(ShardRange(first: 0, count: 2)), into: 5).map(\.shards) == [0..<1, 1..<2])
        #expect(ShardPartition.split(ShardSet(), into: 5).isEmpty)
        #expect(ShardPartition.split(ShardSet(ShardRange(first: 0, count: 2)), into: 0).isEmpty)
    }

    @Test func `pieces with gaps are shared out by their size`() {
        var pending = ShardSet(ShardRange(first: 0, count: 2))
        pending.insert(4..<16)
        #expect(ShardPartition.split(pending, into: 1).map(\.shards) == [4..<16])
        #expect(ShardPartition.split(pending, into: 3).map(\.shards) == [0..<2, 4..<10, 10..<16])
    }

    @Test func `a split covers what is pending once when there are parts enough`() {
        for seed in testSeeds(200) {
            var generator = SeededGenerator(seed: seed)
            var pending = ShardSet()
            for _ in 0..<4 {
                let first = Int.random(in: 0..<32, using: &generator)
                pending.insert(first..<Int.random(in: first...32, using: &generator))
            }
            let parts = Int.random(in: 1...12, using: &generator)
            let ranges = ShardPartition.split(pending, into: parts)
            #expect(ranges.count <= parts, replay(seed))
            var left = pending
            for range in ranges {
                #expect(range.shards.allSatisfy { left.contains($0) }, replay(seed))
                left.remove(range.shards)
            }
            #expect(left.isEmpty || parts < pending.pieces.count, replay(seed))
            if pending.pieces.count == 1, let longest = ranges.map(\.count).max() {
                #expect(ranges.allSatisfy { $0.count >= longest - 1 }, replay(seed))
            }
        }
    }
}
