internal import TensorCore

/// All that an optimiser knows besides the parameters, as PyTorch's `state_dict`.
public struct OptimizerState: Sendable, Equatable {
    /// What is kept about one parameter.
    public struct Entry: Sendable, Equatable {
        /// Updates made.
        public var step: UInt64
        /// By PyTorch's names: `exp_avg`, `exp_avg_sq`, `max_exp_avg_sq`, `momentum_buffer`, `square_avg`, `grad_avg`.
        public var arrays: [String: [Float]]

        /// What is kept about a parameter after `step` updates.
        public init(step: UInt64, arrays: [String: [Float]]) {
            self.step = step
            self.arrays = arrays
        }
    }

    /// One a parameter, in the order of the groups.
    public var entries: [Entry]
    /// The settings of each group by PyTorch's names (`betas` as `beta1` and `beta2`), 1 for true.
    public var groups: [[String: Double]]

    /// A state to load.
    public init(entries: [Entry], groups: [[String: Double]]) {
        self.entries = entries
        self.groups = groups
    }
}

/// A state that does not fit the optimiser.
public struct OptimizerStateError: Error, Equatable, CustomStringConvertible {
    /// One line: what, where, what was expected.
    public let description: String
}

extension ElementwiseOptimizer {
    private static let initialRateName = "initial_lr"

    /// A copy of all that the optimiser keeps.
    public var state: OptimizerState {
        let entries = slots.map { slot in
            OptimizerState.Entry(
                step: slot.updates,
                arrays: Dictionary(
                    uniqueKeysWithValues: slot.arrays.map { name, array in (name.rawValue, unsafe Array(array.floats)) }
                ))
        }
        let groups = parameterGroups.map { group in
            var values = Dictionary(uniqueKeysWithValues: group.values.names.map { ($0.rawValue, group[$0]) })
            values[Self.initialRateName] = group.initialLearningRate
            return values
        }
        return OptimizerState(entries: entries, groups: groups)
    }

    /// Goes on from a state of an optimiser of the same kind over parameters of the same shapes; its settings come with it.
    ///
    /// - Throws: `OptimizerStateError` when it does not fit; nothing has changed then.
    public func load(_ state: OptimizerState) throws(OptimizerStateError) {
        let groups = try settings(from: state)
        guard state.entries.count == slots.count else {
            throw OptimizerStateError(
                description: "optimiser state: \(state.entries.count) parameters; expected \(slots.count)")
        }
        var restored: [[StateArray: Storage]] = []
        for (index, (entry, slot)) in zip(state.entries, slots).enumerated() {
            let place = "optimiser state, parameter \(index)"
            var arrays: [StateArray: Storage] = [:]
            for (text, values) in entry.arrays {
                guard let name = StateArray(rawValue: text) else {
                    let known = StateArray.allCases.map(\.rawValue).joined(separator: ", ")
                    throw OptimizerStateError(description: "\(place): an array '\(text)'; expected one of \(known)")
                }
                guard values.count == slot.parameter.count else {
                    throw OptimizerStateError(
                        description: "\(place): \(values.count) values of \(text); expected \(slot.parameter.count)")
                }
                arrays[name] = Storage(values)
            }
            for name in entry.step > 0 ? self.arrays(of: slot, in: groups) : [] where arrays[name] == nil {
                throw OptimizerStateError(description: "\(place): no \(name.rawValue) after \(entry.step) updates")
            }
            restored.append(arrays)
        }
        parameterGroups = groups
        for (slot, (entry, arrays)) in zip(slots, zip(state.entries, restored)) {
            slot.restore(updates: entry.step, arrays: arrays)
        }
    }

    private func settings(from state: OptimizerState) throws(OptimizerStateError) -> [ParameterGroup] {
        guard state.groups.count == parameterGroups.count else {
            throw OptimizerStateError(
                description: "optimiser state: \(state.groups.count) groups; expected \(parameterGroups.count)")
        }
        var groups = parameterGroups
        for (index, values) in state.groups.enumerated() {
            var values = values
            groups[index].initialLearningRate = values.removeValue(forKey: Self.initialRateName)
            let expected = groups[index].values.names.map(\.rawValue)
            guard values.keys.sorted() == expected else {
                throw OptimizerStateError(
                    description:
                        "optimiser state, group \(index): settings \(values.keys.sorted().joined(separator: ", "));"
                        + " expected \(expected.joined(separator: ", "))")
            }
            for (text, value) in values {
                if let name = Hyperparameter(rawValue: text) { groups[index].values[name] = value }
            }
            if let objection = objection(to: groups[index]) {
                throw OptimizerStateError(description: "optimiser state, group \(index): \(objection)")
            }
        }
        return groups
    }
}
