internal import Coordination
internal import Interchange
internal import Optimizers
internal import TensorCore
internal import Tracing

/// The end of a step, whoever computed its gradients: the tree over shards, one division, clipping, the optimiser's update.
struct StepUpdate {
    let layout: ParameterLayout
    let optimizer: ElementwiseOptimizer
    private let forms: PackedLayout
    private let shards: Int
    /// What the loss is called where it is not finite.
    private let lossPart: String
    /// For sums and updates of large models; bits do not depend on it.
    var team = ThreadTeam.alone
    /// Parameters in ascending byte order of their names, as indices of the layout.
    private let byName: [Int]
    private var tree: ReductionTree<SubtreeAnswer>

    /// - Parameters:
    ///   - forms: of the parameters, as workers adopt them.
    ///   - lossPart: what the loss is called where it is not finite.
    init(
        _ layout: ParameterLayout, forms: PackedLayout, shards: Int, lossPart: String, optimizer: ElementwiseOptimizer
    ) {
        self.layout = layout
        self.forms = forms
        self.shards = shards
        self.lossPart = lossPart
        byName = layout.indicesByName
        self.optimizer = optimizer
        tree = Self.emptyTree(shards, .alone)
    }

    private static func emptyTree(_ shards: Int, _ team: ThreadTeam) -> ReductionTree<SubtreeAnswer> {
        ReductionTree(shards: shards) { left, right in left.add(right, team: team) }
    }

    /// What an update did.
    struct Done {
        /// Mean loss of what was counted.
        let loss: Double
        let tokens: UInt64
        /// The gradient's global norm before clipping.
        let norm: Float
        let checksums: StepChecksums
        /// What is not a finite number, the loss, the gradient of a parameter or what comes beside them: nothing was updated then, and the
        /// sum is still there.
        var nonFinite: String?
    }

    /// Copies some of all parameters, which lie one behind another, to `place` of a block.
    func export(_ range: Range<Int>, into block: Storage, at place: Int) {
        for (slot, entry) in zip(optimizer.slots, layout.entries) {
            let part = entry.range.clamped(to: range)
            guard !part.isEmpty else { continue }
            let first = entry.range.lowerBound
            block.write(
                slot.parameter, part.lowerBound - first..<part.upperBound - first,
                at: place + part.lowerBound - range.lowerBound)
        }
    }

    /// Moves every parameter, and packs it there.
    func move(to place: ParameterPlace) {
        let parameters = optimizer.slots.map(\.parameter)
        team.run(parameters.map(\.count)) { [forms, layout] index in
            let own = place.values.view(layout.entries[index].range)
            if !parameters[index].storage.isAt(own) {
                own.write(parameters[index], at: 0)
                parameters[index].adopt(own)
            }
            forms.pack(parameters[index], at: index, into: place.packed)
        }
    }

    mutating func begin() { tree = Self.emptyTree(shards, team) }

    mutating func add(_ answer: SubtreeAnswer) throws(ReductionError) {
        try Trace.span(.reduce) { () throws(ReductionError) in try tree.insert(answer, at: answer.subtree) }
        // What has been added to its neighbour is as long as all parameters.
        while tree.takeSpare() != nil {}
    }

    /// Whether every shard of the step is in.
    var isReduced: Bool { tree.isWhole }

    /// - Parameters:
    ///   - clipNorm: bound of the gradients' global norm; 0 for none.
    ///   - place: where the new parameters are to lie; nil for where the old ones do.
    ///   - nonFinite: what of the step beside loss and gradients is not a finite number; nil where there is nothing.
    mutating func finish(clipNorm: Float, at place: ParameterPlace? = nil, beside nonFinite: String? = nil) -> Done {
        Trace.span(.update) { update(clipNorm: clipNorm, at: place, beside: nonFinite) }
    }

    private mutating func update(clipNorm: Float, at place: ParameterPlace?, beside nonFinite: String?) -> Done {
        guard let root = tree.root else { fatalError("finishStep: no shard of the step had rows") }
        let divisor = Float(max(root.tokens, 1))
        let gradients = layout.gradients(dense: root.storage, tables: root.tables)
        let norm = GradientNorm.norm(of: gradients, divisor: divisor, team: team)
        let loss = root.lossSum / Double(max(root.tokens, 1))
        guard loss.isFinite, norm.isFinite, nonFinite == nil else {
            let own: String? = !loss.isFinite ? lossPart : norm.isFinite ? nil : "the gradient's norm"
            let part = layout.firstNonFinite(dense: root.storage, tables: root.tables) ?? own ?? nonFinite
            return Done(
                loss: loss, tokens: root.tokens, norm: norm,
                checksums: StepChecksums(gradient: [], parameters: [], shards: []), nonFinite: part)
        }
        _ = tree.takeRoot()
        let clip = clipNorm > 0 ? GradientNorm.clipFactor(norm: norm, bound: clipNorm) : 1
        let trace = optimizer.step(
            gradients: gradients, divisor: divisor, clip: clip, team: team, place: place?.values
        ) { [forms] index, parameter in
            // While its values are in the cache.
            if let place { forms.pack(parameter, at: index, into: place.packed) }
        }
        return Done(
            loss: loss, tokens: root.tokens, norm: norm,
            checksums: StepChecksums(
                gradient: byName.map { trace.gradients[$0] }, parameters: byName.map { trace.parameters[$0] },
                shards: StepChecksums.grouped(root.shardChecksums)))
    }
}

/// A step's results as checksums.
package struct StepChecksums: Sendable, Equatable {
    /// Of the summed gradient before it is divided, one a parameter in ascending byte order of names.
    package let gradient: [UInt64]
    /// Of the parameters after the update, likewise.
    package let parameters: [UInt64]
    /// Of each shard's own loss, tokens and bias gradients; of a group of neighbours where there are more than `shardLimit`.
    package let shards: [UInt64]

    /// So that a line of the ledger stays short.
    package static let shardLimit = 256

    static func grouped(_ shards: [UInt64]) -> [UInt64] {
        let size = max(1, shards.count / shardLimit)
        return stride(from: 0, to: shards.count, by: size).map { first in
            size == 1 ? shards[first] : shards[first..<first + size].reduce(0, FloatChecksum.mix)
        }
    }
}

extension ParameterLayout {
    /// The entries in ascending byte order of their names, as the ledger has them.
    var indicesByName: [Int] {
        entries.indices.sorted { entries[$0].name.precedesByBytes(entries[$1].name) }
    }
}
