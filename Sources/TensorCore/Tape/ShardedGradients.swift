internal import CKernels

/// Where each parameter lies in one flat array of all of them.
package struct ParameterLayout: Sendable {
    package struct Entry: Sendable {
        package let name: String
        package let shape: [Int]
        /// Its floats among the P of all parameters.
        package let range: Range<Int>
        /// Its first float among those that travel whole; nil for a table whose gradient travels by rows.
        package let densePlace: Int?
    }

    /// In layer order.
    package let entries: [Entry]
    /// P, the number of floats.
    package let count: Int
    /// Floats of the gradients that travel whole.
    package let denseCount: Int
    /// The tables whose gradients travel by rows.
    package let tables: [Entry]
    /// By parameter: its place among the dense floats, and how many; or its place among the tables.
    private enum Place {
        case dense(Range<Int>)
        case table(Int)
    }
    private let places: [ObjectIdentifier: Place]

    package init(_ parameters: [(name: String, parameter: Parameter)]) {
        var (offset, denseOffset) = (0, 0)
        var entries: [Entry] = []
        var tables: [Entry] = []
        var places: [ObjectIdentifier: Place] = [:]
        for (name, parameter) in parameters {
            let entry = Entry(
                name: name, shape: parameter.shape, range: offset..<offset + parameter.count,
                densePlace: parameter.hasSparseGradient ? nil : denseOffset)
            entries.append(entry)
            offset += parameter.count
            if parameter.hasSparseGradient {
                places[ObjectIdentifier(parameter)] = .table(tables.count)
                tables.append(entry)
            } else {
                places[ObjectIdentifier(parameter)] = .dense(denseOffset..<denseOffset + parameter.count)
                denseOffset += parameter.count
            }
        }
        self.entries = entries
        self.tables = tables
        self.places = places
        count = offset
        denseCount = denseOffset
    }

    func offset(of parameter: Parameter) -> Int {
        parameter.requireDenseGradient()
        guard case .dense(let range) = places[ObjectIdentifier(parameter)] else { Self.stranger(parameter) }
        return range.lowerBound
    }

    /// Which of the tables a parameter is.
    func table(of parameter: Parameter) -> Int {
        guard case .table(let index) = places[ObjectIdentifier(parameter)] else { Self.stranger(parameter) }
        return index
    }

    /// Dense places of the parameters that are not in use.
    func densePlaces(without used: [ObjectIdentifier: Int]) -> [Range<Int>] {
        places.compactMap { identity, place in
            if case .dense(let range) = place, used[identity] == nil { range } else { nil }
        }
    }

    private static func stranger(_ parameter: Parameter) -> Never {
        fatalError("backward: a parameter of shape \(parameter.shape) belongs to no module of this model")
    }

    /// The gradient of each parameter, in their order: those that travelled whole lie in their block, those that travelled by rows in tables.
    package func gradients(dense: Storage, tables rows: [RowGradient]) -> [GradientBlock] {
        var table = 0
        return entries.map { entry in
            if let place = entry.densePlace {
                return GradientBlock(storage: dense, offset: place, count: entry.range.count)
            }
            defer { table += 1 }
            return GradientBlock(table: rows[table], count: entry.range.count)
        }
    }
}

/// Sums the gradients of shards in the reduction tree's order, one flat array `[P]` for each aligned power-of-two group.
///
/// Two neighbours are added as soon as both are there, always left + right, so that a group of n shards holds log2(n)
/// partial sums of the parameters at hand and the result is the one that any other split of the shards would give.
package final class ShardedGradients: GradientSink {
    private let layout: ParameterLayout
    /// The number of shards in each group, in shard order; powers of two.
    private let groups: [Int]
    /// One array a group, its first P floats in `ParameterLayout`'s order.
    private let sums: [Storage]
    private var uses: [ObjectIdentifier: Int] = [:]
    /// Gradients by shard of the parameters that are used more than once: they can be summed only when all is there.
    private var waiting: [ObjectIdentifier: (parameter: Parameter, shards: [Storage?])] = [:]
    /// Right-hand partial sums of the parameters at hand, innermost last.
    private var pending: [ObjectIdentifier: [Storage]] = [:]
    /// By shard: checksums of its own gradients of vectors (biases), which everything that flows backward goes into.
    package private(set) var sketches: [UInt64]
    /// Rows by table and shard.
    private var rows: [[RowGradient?]]
    /// Sums by group and table, once the pass is over.
    package private(set) var tables: [[RowGradient]] = []

    /// - Parameter sums: one block a group, of the layout's dense floats or more.
    package init(layout: ParameterLayout, groups: [Int], sums: [Storage]) {
        require(
            groups.allSatisfy { $0 > 0 && $0 & ($0 - 1) == 0 },
            "ShardedGradients: groups of \(groups) shards are not powers of two")
        self.layout = layout
        self.groups = groups
        require(
            sums.count == groups.count && sums.allSatisfy { $0.count >= layout.denseCount },
            "ShardedGradients: blocks of \(sums.map(\.count)) floats for \(groups.count) groups of \(layout.denseCount)"
        )
        self.sums = sums
        let shards = groups.reduce(0, +)
        rows = layout.tables.map { _ in Array(repeating: nil, count: shards) }
        sketches = Array(repeating: 0, count: shards)
    }

    package func begin(uses: [ObjectIdentifier: Int]) {
        self.uses = uses
        for range in layout.densePlaces(without: uses) {
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

    package func contributeRows(to parameter: Parameter, shard: Int, of count: Int, rows own: RowGradient) {
        let table = layout.table(of: parameter)
        rows[table][shard] = rows[table][shard].map { $0 + own } ?? own
    }

    package func finish() {
        finishTables()
        for (parameter, shards) in waiting.values {
            for (shard, gradient) in shards.enumerated() {
                guard let gradient else {
                    fatalError("backward: shard \(shard) gave no gradient of a shared parameter")
                }
                fold(shard: shard, of: parameter) { $0.take(gradient, count: gradient.count) }
            }
        }
        waiting = [:]
    }

    /// Adds the shards' rows in the tree's order, group by group.
    private func finishTables() {
        var first = 0
        tables = groups.map { count in
            defer { first += count }
            return zip(layout.tables, rows).map { table, shards in
                shards[first..<first + count].map { $0 ?? .empty(width: table.shape[1]) }.balancedSum(+)
            }
        }
    }

    /// Adds leaf `shard` to the tree of one parameter; leaves come in order.
    private func fold(shard: Int, of parameter: Parameter, write: (GradientDestination) -> Void) {
        guard parameter.shape.count == 1 else { return place(shard: shard, of: parameter, write: write) }
        let own = Storage(count: parameter.count)
        write(GradientDestination(start: CK_FROM_ZERO, storage: own, offset: 0))
        // Parameters come in any order.
        sketches[shard] ^= FloatChecksum.mix(
            FloatChecksum.of(own, count: own.count), UInt64(layout.offset(of: parameter)))
        place(shard: shard, of: parameter) { $0.take(own, count: own.count) }
    }

    private func place(shard: Int, of parameter: Parameter, write: (GradientDestination) -> Void) {
        var leaf = shard
        var group = 0
        while leaf >= groups[group] {
            leaf -= groups[group]
            group += 1
        }
        let root = (storage: sums[group], offset: layout.offset(of: parameter))
        let identity = ObjectIdentifier(parameter)
        func destination(_ start: ck_start) -> GradientDestination {
            let place = pending[identity]?.last.map { ($0, 0) } ?? root
            return GradientDestination(start: start, storage: place.0, offset: place.1)
        }
        if leaf % 2 == 0 {
            if leaf > 0 { pending[identity, default: []].append(Storage(count: parameter.count)) }
            write(destination(CK_FROM_ZERO))
        } else {
            write(destination(CK_ADD_TO_C))
            // An odd leaf completes its pair, and with it every pair of pairs that ends here.
            for _ in 1..<(leaf + 1).trailingZeroBitCount {
                guard let right = pending[identity]?.popLast() else {
                    preconditionFailure("ShardedGradients: shard \(shard) closes a pair that was not begun")
                }
                unsafe ck_add(parameter.count, right.base, destination(CK_ADD_TO_C).base)
            }
        }
    }
}
