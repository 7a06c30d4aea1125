internal import Coordination
internal import Interchange
internal import Optimizers
internal import TensorCore

/// The end of a step, whoever computed its gradients: the tree over shards, one division, clipping, the optimiser's update.
struct StepUpdate {
    let layout: ParameterLayout
    let optimizer: ElementwiseOptimizer
    private let shards: Int
    /// Parameters in ascending byte order of their names, as indices of the layout.
    private let byName: [Int]
    private var tree: ReductionTree<SubtreeAnswer>

    init(_ layout: ParameterLayout, shards: Int, optimizer: ElementwiseOptimizer) {
        self.layout = layout
        self.shards = shards
        byName = layout.indicesByName
        self.optimizer = optimizer
        tree = Self.emptyTree(shards)
    }

    private static func emptyTree(_ shards: Int) -> ReductionTree<SubtreeAnswer> {
        ReductionTree(shards: shards) { left, right in left.add(right) }
    }

    /// What an update did.
    struct Done {
        /// Mean loss of what was counted.
        let loss: Double
        let tokens: UInt64
        /// The gradient's global norm before clipping.
        let norm: Float
        let checksums: StepChecksums
    }

    mutating func begin() { tree = Self.emptyTree(shards) }

    mutating func add(_ answer: SubtreeAnswer) throws(ReductionError) { try tree.insert(answer, at: answer.subtree) }

    /// Whether every shard of the step is in.
    var isReduced: Bool { tree.isWhole }

    /// - Parameter clipNorm: bound of the gradients' global norm; 0 for none.
    mutating func finish(clipNorm: Float) -> Done {
        guard let root = tree.takeRoot() else { fatalError("finishStep: no shard of the step had rows") }
        let divisor = Float(max(root.tokens, 1))
        let gradients = layout.whole(dense: root.storage, tables: root.tables)
        let norm = GradientNorm.norm(of: gradients, blocks: layout.entries.map(\.range), divisor: divisor)
        let clip = clipNorm > 0 ? GradientNorm.clipFactor(norm: norm, bound: clipNorm) : 1
        let trace = optimizer.step(gradients: gradients, divisor: divisor, clip: clip)
        return Done(
            loss: root.lossSum / Double(max(root.tokens, 1)), tokens: root.tokens, norm: norm,
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
