internal import CKernels

/// Where each parameter lies in one flat array of all of them.
package struct ParameterLayout: Sendable {
    package struct Entry: Sendable {
        package let name: String
        package let shape: [Int]
        package let range: Range<Int>
    }

    /// In layer order.
    package let entries: [Entry]
    /// P, the number of floats.
    package let count: Int
    let ranges: [ObjectIdentifier: Range<Int>]

    package init(_ parameters: [(name: String, parameter: Parameter)]) {
        var offset = 0
        var entries: [Entry] = []
        var ranges: [ObjectIdentifier: Range<Int>] = [:]
        for (name, parameter) in parameters {
            entries.append(Entry(name: name, shape: parameter.shape, range: offset..<offset + parameter.count))
            ranges[ObjectIdentifier(parameter)] = offset..<offset + parameter.count
            offset += parameter.count
        }
        self.entries = entries
        self.ranges = ranges
        count = offset
    }

    func offset(of parameter: Parameter) -> Int {
        guard let offset = ranges[ObjectIdentifier(parameter)]?.lowerBound else {
            fatalError("backward: a parameter of shape \(parameter.shape) belongs to no module of this model")
        }
        return offset
    }
}

/// Sums the gradients of shards in the reduction tree's order, one flat array `[P]` for each aligned power-of-two group.
///
/// Two neighbours are added as soon as both are there, always left + right, so that a group of n shards holds log2(n)
/// partial sums of one parameter at a time and the result is the one that any other split of the shards would give.
package final class ShardedGradients: GradientSink {
    private let layout: ParameterLayout
    /// The number of shards in each group, in shard order; powers of two.
    private let groups: [Int]
    /// One array a group, its first P floats in `ParameterLayout`'s order.
    private let sums: [Storage]
    private var uses: [ObjectIdentifier: Int] = [:]
    /// Gradients by shard of the parameters that are used more than once: they can be summed only when all is there.
    private var waiting: [ObjectIdentifier: (parameter: Parameter, shards: [Storage?])] = [:]
    /// Right-hand partial sums of the parameter at hand, innermost last.
    private var pending: [Storage] = []

    /// - Parameter sums: one block a group, of P floats or more.
    package init(layout: ParameterLayout, groups: [Int], sums: [Storage]) {
        require(
            groups.allSatisfy { $0 > 0 && $0 & ($0 - 1) == 0 }, "ShardedGradients: groups of \(groups) shards are not powers of two")
        self.layout = layout
        self.groups = groups
        require(
            sums.count == groups.count && sums.allSatisfy { $0.count >= layout.count },
            "ShardedGradients: blocks of \(sums.map(\.count)) floats for \(groups.count) groups of \(layout.count)")
        self.sums = sums
    }

    package func begin(uses: [ObjectIdentifier: Int]) {
        self.uses = uses
        for (identity, range) in layout.ranges where uses[identity] == nil {
            for sum in sums { unsafe (sum.base + range.lowerBound).update(repeating: 0, count: range.count) }
        }
    }

    package func contribute(
        to parameter: Parameter, shard: Int, of count: Int, write: (GradientDestination) -> Void
    ) {
        require(
            count == groups.reduce(0, +), "backward: \(count) shards where \(groups.reduce(0, +)) were announced")
        let identity = ObjectIdentifier(parameter)
        guard uses[identity] == 1 else {
            var entry = waiting[identity] ?? (parameter, Array(repeating: nil, count: count))
            if let present = entry.shards[shard] {
                write(GradientDestination(start: CK_ADD_TO_C, storage: present, offset: 0))
            } else {
                let made = Storage(count: parameter.count)
                write(GradientDestination(start: CK_FROM_ZERO, storage: made, offset: 0))
                entry.shards[shard] = made
            }
            waiting[identity] = entry
            return
        }
        fold(shard: shard, of: parameter, write: write)
    }

    package func finish() {
        for (parameter, shards) in waiting.values {
            for (shard, gradient) in shards.enumerated() {
                guard let gradient else { fatalError("backward: shard \(shard) gave no gradient of a shared parameter") }
                fold(shard: shard, of: parameter) { destination in
                    switch destination.start {
                    case CK_FROM_ZERO: unsafe destination.base.update(from: gradient.base, count: gradient.count)
                    default: unsafe ck_add(gradient.count, gradient.base, destination.base)
                    }
                }
            }
        }
        waiting = [:]
    }

    /// Adds leaf `shard` to the tree of one parameter; leaves come in order.
    private func fold(shard: Int, of parameter: Parameter, write: (GradientDestination) -> Void) {
        var leaf = shard
        var group = 0
        while leaf >= groups[group] {
            leaf -= groups[group]
            group += 1
        }
        let root = (storage: sums[group], offset: layout.offset(of: parameter))
        func destination(_ start: ck_start) -> GradientDestination {
            let place = pending.last.map { ($0, 0) } ?? root
            return GradientDestination(start: start, storage: place.0, offset: place.1)
        }
        if leaf % 2 == 0 {
            if leaf > 0 { pending.append(Storage(count: parameter.count)) }
            write(destination(CK_FROM_ZERO))
        } else {
            write(destination(CK_ADD_TO_C))
            // An odd leaf completes its pair, and with it every pair of pairs that ends here.
            for _ in 1..<(leaf + 1).trailingZeroBitCount {
                let right = pending.removeLast()
                unsafe ck_add(parameter.count, right.base, destination(CK_ADD_TO_C).base)
            }
        }
    }
}
