internal import CKernels

/// How the rows of a batch fall into shards: the row ranges, in shard order, without gaps.
public struct ShardLayout: Sendable, Equatable {
    /// Sequences in the batch, B.
    public let rows: Int
    /// One range of rows a shard.
    public let ranges: [Range<Int>]

    /// `ranges` follow one another from 0 to `rows`.
    public init(rows: Int, ranges: [Range<Int>]) {
        require(
            ranges.first?.lowerBound == 0 && ranges.last?.upperBound == rows
                && zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound },
            "ShardLayout: the ranges \(ranges) do not cover \(rows) rows one after another")
        self.rows = rows
        self.ranges = ranges
    }

    /// Everything in one shard.
    public static func whole(_ rows: Int) -> ShardLayout { ShardLayout(rows: rows, ranges: [0..<rows]) }
}

/// Where an operation puts its share of a parameter's gradient.
package struct GradientDestination {
    let start: ck_start
    let storage: Storage
    let offset: Int

    var base: UnsafeMutablePointer<Float> { unsafe storage.base + offset }

    /// Takes a gradient that was computed elsewhere.
    func take(_ gradient: Storage, at place: Int = 0, count: Int) {
        switch start {
        case CK_FROM_ZERO: unsafe base.update(from: gradient.base + place, count: count)
        default: unsafe ck_add(count, gradient.base + place, base)
        }
    }
}

/// Takes the gradients of parameters as they come up during a backward pass.
package protocol GradientSink: AnyObject {
    /// Called once, before the first gradient: how often each parameter is used.
    func begin(uses: [ObjectIdentifier: Int])
    /// Lets `write` put the gradient over shard `shard` of `count` into place; shards come in order for each parameter, and `write`
    /// may ask for a place for another parameter.
    func contribute(to parameter: Parameter, shard: Int, of count: Int, write: (GradientDestination) -> Void)
    /// Takes the rows of a table that shard `shard` of `count` looked up; only for parameters whose gradients are rows.
    func contributeRows(to parameter: Parameter, shard: Int, of count: Int, rows: RowGradient)
    /// Called once, after the last gradient.
    func finish()
}

/// One walk through the record of a computation, in reverse.
package final class BackwardPass {
    /// nil: the whole batch is one shard, whatever its shape.
    private let shards: ShardLayout?
    private let sink: any GradientSink

    init(shards: ShardLayout?, sink: any GradientSink) {
        self.shards = shards
        self.sink = sink
    }

    /// Collects a parameter's gradient, shard by shard, from an operation on time-major rows `[T, B, …]`.
    ///
    /// - Parameters:
    ///   - batch: B of the operation's input.
    ///   - write: computes the sum over the given rows of all time steps.
    func accumulate(_ parameter: Parameter, batch: Int, write: (Range<Int>, GradientDestination) -> Void) {
        accumulate([parameter], batch: batch) { write($0, $1[0]) }
    }

    /// As for one parameter, for several whose gradients come out of one computation.
    func accumulate(_ parameters: [Parameter], batch: Int, write: (Range<Int>, [GradientDestination]) -> Void) {
        let ranges = shards?.ranges ?? [0..<batch]
        require(
            shards == nil || shards?.rows == batch,
            "backward: an operation on \(batch) rows in a pass over \(shards?.rows ?? 0) rows; shards need the batch on the axis before the last"
        )
        for (index, rows) in ranges.enumerated() {
            contribute(parameters[...], shard: index, of: ranges.count, places: []) { write(rows, $0) }
        }
    }

    /// Asks the sink for a place for each of the parameters, one inside the other.
    private func contribute(
        _ parameters: ArraySlice<Parameter>, shard: Int, of count: Int, places: [GradientDestination],
        write: ([GradientDestination]) -> Void
    ) {
        guard let parameter = parameters.first else { return write(places) }
        sink.contribute(to: parameter, shard: shard, of: count) { place in
            contribute(parameters.dropFirst(), shard: shard, of: count, places: places + [place], write: write)
        }
    }

    /// Collects the gradient of a table by rows, shard by shard, from a lookup of `[T, B]` tokens.
    ///
    /// - Parameter compute: the sum over the given rows of the batch of all time steps.
    func accumulateRows(_ parameter: Parameter, batch: Int, compute: (Range<Int>) -> RowGradient) {
        guard let shards else {
            sink.contributeRows(to: parameter, shard: 0, of: 1, rows: compute(0..<batch))
            return
        }
        require(
            shards.rows == batch,
            "backward: a lookup for \(batch) rows in a pass over \(shards.rows) rows; shards need tokens [T, B]")
        for (index, rows) in shards.ranges.enumerated() {
            sink.contributeRows(to: parameter, shard: index, of: shards.ranges.count, rows: compute(rows))
        }
    }

    /// Adds a gradient that an elementary operation found for a whole parameter.
    func accumulateWhole(_ parameter: Parameter, _ gradient: Tensor) {
        require(
            shards == nil || shards?.ranges.count == 1,
            "backward: elementary operations do not keep the rows of \(shards?.ranges.count ?? 1) shards apart; compute one shard at a time"
        )
        sink.contribute(to: parameter, shard: 0, of: 1) { destination in
            destination.take(gradient.storage, at: gradient.offset, count: gradient.count)
        }
    }

    /// Hands a cotangent to the operation that made an input; several are added in the order in which they come.
    func send(_ cotangent: @autoclosure () -> Tensor, to origin: Tensor.Origin?) {
        guard let origin else { return }
        let arrived = cotangent()
        if let present = origin.node.cotangents[origin.output] {
            let sum = Tensor(shape: present.shape, storage: Storage(count: present.count))
            unsafe sum.base.update(from: present.base, count: present.count)
            unsafe ck_add(sum.count, arrived.base, sum.base)
            origin.node.cotangents[origin.output] = sum
        } else {
            origin.node.cotangents[origin.output] = arrived
        }
    }

    func run(from root: Tensor.Origin, cotangent: Tensor) {
        let order = Self.topologicalOrder(from: root.node)
        var uses: [ObjectIdentifier: Int] = [:]
        for node in order {
            for parameter in node.uses { uses[ObjectIdentifier(parameter), default: 0] += 1 }
        }
        sink.begin(uses: uses)
        root.node.cotangents[root.output] = cotangent
        for node in order.reversed() { node.run(self) }
        sink.finish()
    }

    /// Every node before those that use its results.
    private static func topologicalOrder(from root: Node) -> [Node] {
        var order: [Node] = []
        var seen: Set<ObjectIdentifier> = [ObjectIdentifier(root)]
        var stack: [(node: Node, next: Int)] = [(root, 0)]
        while let (node, next) = stack.last {
            if next == node.parents.count {
                order.append(node)
                stack.removeLast()
            } else {
                stack[stack.count - 1].next += 1
                let parent = node.parents[next].node
                if seen.insert(ObjectIdentifier(parent)).inserted { stack.append((parent, 0)) }
            }
        }
        return order
    }
}

extension Tensor {
    /// Computes the gradient of this scalar by every parameter it depends on and adds it to the parameters' `gradient`.
    ///
    /// The record is consumed: a second call on the same graph stops with a sentence.
    public func backward() {
        require(count == 1, "backward: a tensor of shape \(shape) is not a scalar")
        backward(cotangent: Tensor([1], shape: shape))
    }

    /// As `backward()`, from dL/d(this) of the same shape.
    public func backward(cotangent: Tensor) {
        require(
            cotangent.shape == shape, "backward: a cotangent of shape \(cotangent.shape) for a tensor of shape \(shape)"
        )
        backward(cotangent: cotangent, shards: nil, into: ParameterGradients())
    }

    /// As `backward()`, with the gradients of each shard kept apart.
    package func backward(cotangent: Tensor, shards: ShardLayout?, into sink: any GradientSink) {
        guard let origin else {
            fatalError(
                "backward: a tensor of shape \(shape) depends on no parameter, or was computed without gradients")
        }
        BackwardPass(shards: shards, sink: sink).run(from: origin, cotangent: cotangent)
    }
}

/// Adds gradients to the parameters themselves.
final class ParameterGradients: GradientSink {
    func begin(uses: [ObjectIdentifier: Int]) {}

    func contributeRows(to parameter: Parameter, shard: Int, of count: Int, rows: RowGradient) {
        parameter.rowGradient = parameter.rowGradient.map { $0 + rows } ?? rows
    }

    func contribute(to parameter: Parameter, shard: Int, of count: Int, write: (GradientDestination) -> Void) {
        parameter.requireDenseGradient()
        if let gradient = parameter.gradient {
            write(GradientDestination(start: CK_ADD_TO_C, storage: gradient.storage, offset: gradient.offset))
        } else {
            let gradient = Tensor(shape: parameter.shape, storage: Storage(count: parameter.count))
            write(GradientDestination(start: CK_FROM_ZERO, storage: gradient.storage, offset: gradient.offset))
            parameter.gradient = gradient
        }
    }

    func finish() {}
}
