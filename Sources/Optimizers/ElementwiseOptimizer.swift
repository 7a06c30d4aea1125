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
    private let rule: any UpdateRule
    /// Whether updates are traced: not where the cost of that is measured.
    package var isTraced = true

    init(_ groups: [ParameterGroup], rule: any UpdateRule, defaults: [Hyperparameter: Double]) {
        let name = rule.name
        require(groups.contains { !$0.parameters.isEmpty }, "\(name): no parameters")
        parameterGroups = groups.enumerated().map { index, group in
            for value in group.values.keys {
                require(
                    defaults[value] != nil,
                    "\(name): parameter group \(index) sets \(value.rawValue), which \(name) has not")
            }
            var group = group
            group.values.merge(defaults) { own, _ in own }
            return group
        }
        slots = groups.enumerated().flatMap { index, group in group.parameters.map { Slot($0, group: index) } }
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
            unsafe update(slot, gradient: gradient.base, divisor: 1, clip: 1) { _, _, _ in }
        }
    }

    /// Updates every parameter from gradients that lie one after another, in the order of the parameters.
    ///
    /// - Parameters:
    ///   - gradients: `[P]` at its beginning, sums; the gradient taken is (sum / divisor) · clip.
    /// - Returns: checksums of the gradients and of the new parameters.
    @discardableResult
    package func step(gradients: Storage, divisor: Float, clip: Float) -> UpdateTrace {
        let total = slots.reduce(0) { $0 + $1.parameter.count }
        require(gradients.count >= total, "\(rule.name): \(gradients.count) gradients for \(total) parameters")
        var offset = 0
        var trace = UpdateTrace()
        for slot in slots {
            var (read, written) = (FloatChecksum(), FloatChecksum())
            unsafe update(slot, gradient: gradients.base + offset, divisor: divisor, clip: clip) {
                gradient, values, count in
                guard isTraced else { return }
                unsafe read.absorb(gradient, count: count)
                unsafe written.absorb(values, count: count)
            }
            trace.gradients.append(read.value)
            trace.parameters.append(written.value)
            offset += slot.parameter.count
        }
        return trace
    }

    /// What a parameter's slot holds once it has been updated.
    package func arrays(of slot: Slot) -> [StateArray] { arrays(of: slot, in: parameterGroups) }

    func arrays(of slot: Slot, in groups: [ParameterGroup]) -> [StateArray] { rule.arrays(of: groups[slot.group]) }

    /// Updates a parameter block by block.
    ///
    /// - Parameter updated: handed the gradient and the new values of each block.
    private func update(
        _ slot: Slot, gradient: UnsafePointer<Float>, divisor: Float, clip: Float,
        _ updated: (_ gradient: UnsafePointer<Float>, _ values: UnsafePointer<Float>, _ count: Int) -> Void
    ) {
        let group = parameterGroups[slot.group]
        slot.updates += 1
        let update = unsafe rule.update(
            of: slot, in: group, by: Gradient(divisor: group.maximize ? -divisor : divisor, clip: clip))
        unsafe slot.parameter.update { values in
            for first in stride(from: 0, to: values.count, by: updateBlock) {
                let count = min(updateBlock, values.count - first)
                let (sum, block) = unsafe (gradient + first, values.baseAddress! + first)
                unsafe update(first, count, sum, block)
                unsafe updated(sum, block, count)
            }
        }
    }

    private func check(_ before: [ParameterGroup]) {
        require(
            parameterGroups.count == before.count
                && zip(parameterGroups, before).allSatisfy { new, old in
                    new.parameters.elementsEqual(old.parameters) { $0 === $1 } && new.values.keys == old.values.keys
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
        for (name, value) in group.values.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
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
