import Coordination
import Testing

@Suite struct ReductionTreeTests {
    private func textTree(_ shards: Int) -> ReductionTree<String> {
        ReductionTree(shards: shards) { left, right in left = "(\(left) \(right))" }
    }

    /// The sum of a subtree as plain recursion makes it; nil when all its leaves are.
    private func sum(of leaves: [String?], _ shards: Range<Int>) -> String? {
        guard shards.count > 1 else { return leaves[shards.lowerBound] }
        let middle = (shards.lowerBound + shards.upperBound) / 2
        let left = sum(of: leaves, shards.lowerBound..<middle)
        let right = sum(of: leaves, middle..<shards.upperBound)
        guard let left, let right else { return left ?? right }
        return "(\(left) \(right))"
    }

    @Test func `neighbours are added left to right whatever order they come in`() throws {
        var tree = textTree(4)
        for shard in [3, 0, 2, 1] { try tree.insert("\(shard)", at: .leaf(shard)) }
        #expect(tree.isWhole)
        #expect(tree.takeRoot() == "((0 1) (2 3))")
    }

    @Test func `one shard is its own root`() throws {
        var tree = textTree(1)
        try tree.insert("0", at: .leaf(0))
        #expect(tree.takeRoot() == "0")
    }

    @Test func `an empty shard is counted and adds nothing`() throws {
        var tree = textTree(4)
        try tree.insert(nil, at: .leaf(2))
        try tree.insert("3", at: .leaf(3))
        try tree.insert(nil, at: #require(Subtree(first: 0, count: 2)))
        #expect(tree.isWhole)
        #expect(tree.takeRoot() == "3")
    }

    @Test func `a step whose shards are all empty has no sum`() throws {
        var tree = textTree(8)
        try tree.insert(nil, at: .root(of: 8))
        #expect(tree.isWhole)
        #expect(tree.takeRoot() == nil)
    }

    @Test func `a shard that is already counted is refused and changes nothing`() throws {
        var tree = textTree(4)
        try tree.insert("01", at: #require(Subtree(first: 0, count: 2)))
        for again in [Subtree.leaf(1), .root(of: 4), Subtree(first: 0, count: 2)!] {
            let error = #expect(throws: ReductionError.self) { try tree.insert("again", at: again) }
            #expect(error?.code == .overlap)
        }
        try tree.insert("23", at: #require(Subtree(first: 2, count: 2)))
        #expect(tree.takeRoot() == "(01 23)")
    }

    @Test func `a subtree past the last shard is refused`() throws {
        var tree = textTree(4)
        let error = #expect(throws: ReductionError.self) { try tree.insert("8", at: .leaf(8)) }
        #expect(error?.code == .outOfBounds)
        #expect(error?.message == "subtree [8, 9) of a step with 4 shards")
        #expect(tree.countedShards == 0)
    }

    @Test func `the root depends on the leaves alone, for random cuts and arrival orders`() throws {
        for seed in testSeeds(300) {
            var generator = SeededGenerator(seed: seed)
            let shards = 1 << Int.random(in: 0...6, using: &generator)
            let leaves = (0..<shards).map { generator.chance(0.2) ? nil : "\($0)" }
            var pieces: [Subtree] = []
            var first = 0
            while first < shards {
                let range = ShardRange(first: first, count: Int.random(in: 1...(shards - first), using: &generator))
                pieces += range.subtrees
                first = range.end
            }
            pieces.shuffle(using: &generator)

            var tree = textTree(shards)
            for piece in pieces { try tree.insert(sum(of: leaves, piece.shards), at: piece) }
            #expect(tree.isWhole, replay(seed))
            #expect(tree.takeRoot() == sum(of: leaves, 0..<shards), replay(seed))
        }
    }

    @Test func `float sums are equal to the bit from one worker and from many`() throws {
        for seed in testSeeds(50) {
            var generator = SeededGenerator(seed: seed)
            let leaves = (0..<32).map { _ in Float.random(in: -1e6...1e6, using: &generator) }
            func sum(order: [Int]) throws -> Float? {
                var tree = ReductionTree<Float>(shards: 32) { $0 += $1 }
                for shard in order { try tree.insert(leaves[shard], at: .leaf(shard)) }
                return tree.takeRoot()
            }
            let first = try sum(order: Array(0..<32))
            let second = try sum(order: (0..<32).shuffled(using: &generator))
            #expect(first?.bitPattern == second?.bitPattern, replay(seed))
        }
    }

    @Test func `a worker takes the subtrees of its range`() throws {
        let range = ShardRange(first: 3, count: 4)
        var tree = textTree(8)
        for shard in range.shards.reversed() { try tree.insert("\(shard)", at: .leaf(shard)) }
        #expect(range.subtrees.map { tree.take($0) } == ["3", "(4 5)", "6"])
    }

    @Test func `added payloads come back for reuse, and none is left after a reset`() throws {
        var tree = textTree(4)
        for shard in 0..<3 { try tree.insert("\(shard)", at: .leaf(shard)) }
        #expect(tree.takeSpare() == "1")
        #expect(tree.takeSpare() == nil)
        tree.reset()
        #expect(Set([tree.takeSpare(), tree.takeSpare()]) == ["(0 1)", "2"])
        #expect(tree.countedShards == 0)
        for shard in 0..<4 { try tree.insert("\(shard)", at: .leaf(shard)) }
        #expect(tree.takeRoot() == "((0 1) (2 3))")
    }

    @Test func `array payloads are added in place`() throws {
        var places: [Int] = []
        var tree = ReductionTree<[Float]>(shards: 2) { left, right in
            left[0] += right[0]
            unsafe places.append(left.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) })
        }
        let leaf = [Float](repeating: 1, count: 64)
        var own = leaf
        own[1] = 2
        let place = unsafe own.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
        try tree.insert(consume own, at: .leaf(0))
        try tree.insert(leaf, at: .leaf(1))
        #expect(tree.takeRoot()?.first == 2)
        #expect(places == [place])
    }
}
