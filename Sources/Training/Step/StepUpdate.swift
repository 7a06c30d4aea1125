internal import Coordination
internal import Optimizers
internal import TensorCore

/// The end of a step, whoever computed its gradients: the tree over shards, one division, clipping, the optimiser's update.
struct StepUpdate {
    let layout: ParameterLayout
    let optimizer: ElementwiseOptimizer
    private let shards: Int
    private var tree: ReductionTree<SubtreeAnswer>

    init(_ layout: ParameterLayout, shards: Int, optimizer: ElementwiseOptimizer) {
        self.layout = layout
        self.shards = shards
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
        /// A checksum of the summed gradient before it is divided.
        let gradient: UInt64
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
        optimizer.step(gradients: gradients, divisor: divisor, clip: clip)
        return Done(
            loss: root.lossSum / Double(max(root.tokens, 1)), tokens: root.tokens, norm: norm,
            gradient: Self.checksum(gradients, count: layout.count))
    }

    private static func checksum(_ gradients: Storage, count: Int) -> UInt64 {
        unsafe FastChecksum.of(UnsafeRawBufferPointer(start: gradients.base, count: 4 * count))
    }
}
