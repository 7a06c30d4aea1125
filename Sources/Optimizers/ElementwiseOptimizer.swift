internal import Synchronization
package import TensorCore

/// What Adam, AdamW, SGD and RMSprop share: each element of a parameter moves by its own gradients alone.
///
/// A parameter without a gradient is skipped; its averages and its count of updates stay as they are.
public class ElementwiseOptimizer: Optimizer {
    public var parameterGroups: [ParameterGroup] {
        didSet { check(oldValue) }
    }
    /// One a parameter, in the order of the groups.
    package let slots: [Slot]
    /// Elements of each parameter, and where it begins when they lie one after another.
    private let sizes: [Int]
    private let places: [Int]
    private let rule: any UpdateRule
    /// Whether updates are traced: not where the cost of that is measured.
    package var isTraced = true

    init(_ groups: [ParameterGroup], rule: any UpdateRule, defaults: HyperparameterValues) {
        let name = rule.name
        require(groups.contains { !$0.parameters.isEmpty }, "\(name): no parameters")
        parameterGroups = groups.enumerated().map { index, group in
            for value in group.values.names {
                require(
                    defaults[value] != nil,
                    "\(name): parameter group \(index) sets \(value.rawValue), which \(name) has not")
            }
            var group = group
            group.values = group.values.completed(by: defaults)
            return group
        }
        slots = groups.enumerated().flatMap { index, group in group.parameters.map { Slot($0, group: index) } }
        let counts = groups.flatMap { group in group.parameters.map(\.count) }
        sizes = counts
        places = counts.indices.map { counts[..<$0].reduce(0, +) }
        self.rule = rule
        require(
            Set(slots.map { ObjectIdentifier($0.parameter) }).count == slots.count,
            "\(name): a parameter is in the groups twice")
        checkSettings()
        for group in parameterGroups {
            require(group.learningRate >= 0, "\(name): lr \(group.learningRate); expected 0 or a positive number")
        }
    }

    public func step() {
        for slot in slots {
            guard let gradient = slot.parameter.gradient else { continue }
            let updates = unsafe Updates(slots: [slot], rules: [begin(slot, divisor: 1, clip: 1)])
            let block = GradientBlock(storage: gradient.storage, offset: gradient.offset, count: gradient.count)
            unsafe updates.run(0, gradient: block, place: nil) { _, _, _ in }
        }
    }

    /// Updates every parameter from its gradient, on the threads of a team.
    ///
    /// - Parameters:
    ///   - gradients: of every parameter, sums; the gradient taken is (sum / divisor) · clip.
    ///   - place: where the new values of all parameters are to lie, one behind another; nil for where the old ones do.
    ///   - updated: told on the team's threads of every parameter that has its new values.
    /// - Returns: checksums of the gradients and of the new parameters.
    @discardableResult
    package func step(
        gradients: [GradientBlock], divisor: Float, clip: Float, team: ThreadTeam = .alone, place: Storage? = nil,
        updated: @Sendable (_ index: Int, Parameter) -> Void = { _, _ in }
    ) -> UpdateTrace {
        require(
            gradients.elementsEqual(sizes) { $0.count == $1 },
            "\(rule.name): gradients of \(gradients.map(\.count)) floats for parameters of \(sizes)")
        let total = (places.last ?? 0) + (sizes.last ?? 0)
        require(
            place == nil || place!.count >= total,
            "\(rule.name): a place for \(place?.count ?? 0) floats; expected \(total)"
        )
        let updates = unsafe Updates(slots: slots, rules: slots.map { unsafe begin($0, divisor: divisor, clip: clip) })
        let traces = Mutex(
            Array(repeating: (read: FloatChecksum.empty, written: FloatChecksum.empty), count: slots.count))
        team.run(sizes) { [isTraced, places, sizes] index in
            var (read, written) = (FloatChecksum(), FloatChecksum())
            let own = place?.view(places[index]..<places[index] + sizes[index])
            unsafe updates.run(index, gradient: gradients[index], place: own) { _, gradient, values in
                guard let sum = gradient.baseAddress else { return }
                guard isTraced else { return }
                unsafe read.absorb(sum, count: gradient.count)
                unsafe written.absorb(values, count: gradient.count)
            }
            traces.withLock { $0[index] = (read.value, written.value) }
            updated(index, updates.slots[index].parameter)
        }
        let each = traces.withLock { $0 }
        return UpdateTrace(gradients: each.map(\.read), parameters: each.map(\.written))
    }

    /// What a parameter's slot holds once it has been updated.
    package func arrays(of slot: Slot) -> [StateArray] { arrays(of: slot, in: parameterGroups) }

    func arrays(of slot: Slot, in groups: [ParameterGroup]) -> [StateArray] { rule.arrays(of: groups[slot.group]) }

    /// Counts an update of a parameter and says how its blocks are updated.
    private func begin(_ slot: Slot, divisor: Float, clip: Float) -> BlockUpdate {
        let group = parameterGroups[slot.group]
        slot.updates += 1
        return unsafe rule.update(
            of: slot, in: group, by: Gradient(divisor: group.maximize ? -divisor : divisor, clip: clip))
    }

    /// Updates of one step, each by one thread: a slot and its arrays are nobody else's meanwhile.
    @safe private struct Updates: @unchecked Sendable {
        let slots: [Slot]
        let rules: [BlockUpdate]

        /// Updates a parameter block by block.
        ///
        /// - Parameters:
        ///   - place: where its new values are to lie; nil for where the old ones do.
        ///   - updated: handed the place of each block, its gradient and its new values.
        func run(
            _ index: Int, gradient: GradientBlock, place: Storage?,
            _ updated: (_ first: Int, _ gradient: UnsafeBufferPointer<Float>, _ values: UnsafePointer<Float>) -> Void
        ) {
            func update(_ values: UnsafeMutableBufferPointer<Float>, from old: Storage?) {
                unsafe gradient.forEachPiece(of: updateBlock, skipsZeros: false) { first, piece in
                    guard let sum = piece.baseAddress else { return }
                    let block = unsafe values.baseAddress! + first
                    // Block by block, so that it is in the cache when it is updated.
                    if let old { unsafe block.update(from: old.base + first, count: piece.count) }
                    unsafe rules[index](first, piece.count, sum, block)
                    unsafe updated(first, piece, block)
                }
            }
            let parameter = slots[index].parameter
            if let place {
                unsafe update(place.floats, from: parameter.storage)
                parameter.adopt(place)
            } else {
                unsafe parameter.update { values in unsafe update(values, from: nil) }
            }
        }
    }

    private func check(_ before: [ParameterGroup]) {
        require(
            parameterGroups.count == before.count
                && zip(parameterGroups, before).allSatisfy { new, old in
                    new.parameters.elementsEqual(old.parameters) { $0 === $1 }
                        && new.values.hasSameNames(as: old.values)
                },
            "\(rule.name): the parameters of a group do not change")
        checkSettings()
    }

    private func checkSettings() {
        for (index, group) in parameterGroups.enumerated() {
            if let objection = objection(to: group) {
                require(false, "\(rule.name), parameter group \(index): \(objection)")
            }
        }
    }

    /// What is wrong with the settings of a group, as the end of a sentence; nil when nothing is.
    func objection(to group: ParameterGroup) -> String? {
        for name in group.values.names {
            let value = group[name]
            // A schedule that is stepped past its end may go below zero, as in PyTorch.
            if name == .learningRate, value.isFinite { continue }
            guard value >= 0, value.isFinite else {
                return "\(name.rawValue) \(value); expected 0 or a positive number"
            }
            if name == .beta1 || name == .beta2, value >= 1 {
                return "\(name.rawValue) \(value); expected a number from 0 up to, not including, 1"
            }
        }
        if group.values[.nesterov] == 1, group.momentum == 0 || group.dampening != 0 {
            return "nesterov with momentum \(group.momentum) and dampening \(group.dampening);"
                + " expected a positive momentum and no dampening"
        }
        return nil
    }
}

/// How an optimiser updates one parameter.
protocol UpdateRule: Sendable {
    var name: String { get }
    /// What is kept about a parameter of the group.
    func arrays(of group: ParameterGroup) -> [StateArray]
    /// The slot's update number `slot.updates`.
    func update(of slot: Slot, in group: ParameterGroup, by gradient: Gradient) -> BlockUpdate
}

/// Updates `count` elements from the one at `first`; gradient and values are those of the block.
typealias BlockUpdate = (
    _ first: Int, _ count: Int, _ gradient: UnsafePointer<Float>, _ values: UnsafeMutablePointer<Float>
) -> Void

/// How a gradient is made from its sum: (sum / divisor) · clip.
struct Gradient {
    let divisor: Float
    let clip: Float
}
