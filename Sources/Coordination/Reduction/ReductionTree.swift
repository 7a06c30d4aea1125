/// An answer that the tree cannot take.
package struct ReductionError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A shard of the subtree is already counted.
        case overlap
        /// The subtree ends past the last shard.
        case outOfBounds
    }

    package let code: Code
    package let message: String
    package var description: String { message }
}

/// Adds the sums of a step's shards in one balanced binary tree over shard index.
///
/// Two neighbours are added as soon as both are there, always left + right, and their sum takes their place. The
/// result is a function of the shards' own sums only: neither the order of arrival nor the cut into subtrees shows.
/// An empty shard is an absent node: it is counted, and nothing is added for it.
///
/// A coordinator inserts subtrees until the root is whole. A worker inserts its shards and takes the subtrees of its
/// range.
package struct ReductionTree<Payload> {
    package let shards: Int

    /// Adds `right` onto `left`; `right` is handed back through `takeSpare` afterwards.
    private let add: (_ left: inout Payload, _ right: Payload) -> Void

    // Heap order: node 1 is the root, nodes 2n and 2n + 1 are the halves of node n, node S + i is shard i.
    private let planted: PlantedBugs
    private var sums: [Payload?]
    private var isThere: [Bool]
    private var counted: [Bool]
    private var spares: [Payload] = []

    /// The shards that are in the tree.
    package private(set) var countedShards = 0

    /// - Precondition: `shards` is a power of two.
    /// - Parameter planted: for tests of the simulation; see `PlantedBugs`.
    package init(
        shards: Int, planted: PlantedBugs = [], add: @escaping (_ left: inout Payload, _ right: Payload) -> Void
    ) {
        self.planted = planted
        self.shards = Subtree.root(of: shards).count
        self.add = add
        sums = Array(repeating: nil, count: 2 * shards)
        isThere = Array(repeating: false, count: 2 * shards)
        counted = Array(repeating: false, count: shards)
    }

    /// Whether every shard is counted, so that the root can be taken.
    package var isWhole: Bool { countedShards == shards }

    /// Adds the sum of one subtree to its place.
    ///
    /// - Parameters:
    ///   - sum: the sum over the shards of `subtree`; nil when all of them are empty.
    ///   - subtree: the shards it covers.
    /// - Throws: `overlap` when a shard of it is already counted, `outOfBounds`; the tree is as it was then.
    package mutating func insert(_ sum: consuming Payload?, at subtree: Subtree) throws(ReductionError) {
        guard subtree.end <= shards else {
            throw ReductionError(code: .outOfBounds, message: "subtree \(subtree) of a step with \(shards) shards")
        }
        for shard in subtree.shards where counted[shard] {
            throw ReductionError(
                code: .overlap, message: "subtree \(subtree): shard \(shard) of \(shards) is already counted")
        }
        for shard in subtree.shards { counted[shard] = true }
        countedShards += subtree.count

        if planted.contains(.addInArrivalOrder) { return addAsItArrives(sum) }
        var place = node(of: subtree)
        sums[place] = sum
        while place > 1, isThere[place ^ 1] {
            isThere[place ^ 1] = false
            place >>= 1
            addHalves(of: place)
        }
        isThere[place] = true
    }

    /// Takes the sum of a subtree out of the tree; nil when all its shards are empty.
    ///
    /// - Precondition: all its shards are counted and it has not been added to its neighbour.
    package mutating func take(_ subtree: Subtree) -> Payload? {
        let place = node(of: subtree)
        precondition(
            subtree.end <= shards && isThere[place],
            "ReductionTree.take: subtree \(subtree) is not whole, or already part of a larger sum")
        isThere[place] = false
        return sums[place].take()
    }

    /// The sum of all shards, which stays in the tree; nil when all of them are empty, or not every one is counted.
    package var root: Payload? { isWhole ? sums[node(of: Subtree.root(of: shards))] : nil }

    /// Takes the sum of all shards; nil when all of them are empty.
    ///
    /// - Precondition: `isWhole`.
    package mutating func takeRoot() -> Payload? {
        take(Subtree.root(of: shards))
    }

    /// A payload that has been added into another and can be written over.
    package mutating func takeSpare() -> Payload? {
        spares.popLast()
    }

    /// Hands a payload over for reuse.
    package mutating func giveSpare(_ payload: Payload) {
        spares.append(payload)
    }

    /// Starts again with nothing counted; sums that were left become spares.
    package mutating func reset() {
        for place in sums.indices {
            if let left = sums[place].take() { spares.append(left) }
            isThere[place] = false
        }
        for shard in counted.indices { counted[shard] = false }
        countedShards = 0
    }

    private mutating func addAsItArrives(_ sum: consuming Payload?) {
        let add = add
        if let sum {
            if sums[1] != nil { add(&sums[1]!, sum) } else { sums[1] = sum }
        }
        isThere[1] = isWhole
    }

    private func node(of subtree: Subtree) -> Int {
        shards / subtree.count + subtree.first / subtree.count
    }

    /// Moves the sum of a node's halves to it; payloads are never copied, so an array is added in place.
    private mutating func addHalves(of place: Int) {
        let add = add
        if let right = sums[2 * place + 1].take() {
            if sums[2 * place] != nil {
                add(&sums[2 * place]!, right)
                spares.append(right)
            } else {
                sums[2 * place] = right
            }
        }
        sums[place] = sums[2 * place].take()
    }
}
