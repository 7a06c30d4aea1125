package import TensorCore

/// What an optimiser remembers about one parameter.
package final class Slot {
    package let parameter: Parameter
    /// The index of its group.
    let group: Int
    /// Updates made so far, t.
    package internal(set) var updates: UInt64 = 0
    /// Made when an update first needs them.
    package private(set) var arrays: [StateArray: Storage] = [:]
    var beta1Power = RunningPower()
    var beta2Power = RunningPower()

    init(_ parameter: Parameter, group: Int) {
        self.parameter = parameter
        self.group = group
    }

    /// One of the arrays, at first all zero.
    subscript(name: StateArray) -> Storage {
        if let array = arrays[name] { return array }
        let array = Storage(zeros: parameter.count)
        arrays[name] = array
        return array
    }

    /// Goes on from a saved state after `updates` updates.
    package func restore(updates: UInt64, arrays: [StateArray: Storage]) {
        for (name, array) in arrays {
            require(
                array.count == parameter.count,
                "restore: \(name.rawValue) of \(array.count) floats for a parameter of shape \(parameter.shape)")
        }
        self.updates = updates
        self.arrays = arrays
    }
}

/// The running averages, by PyTorch's names.
package enum StateArray: String, Sendable, CaseIterable {
    case expAvg = "exp_avg"
    case expAvgSq = "exp_avg_sq"
    case maxExpAvgSq = "max_exp_avg_sq"
    case momentumBuffer = "momentum_buffer"
    case squareAvg = "square_avg"
    case gradAvg = "grad_avg"
}

/// baseᵗ for a t that grows, by one multiplication a step: `pow` differs between C libraries.
struct RunningPower {
    private var base = 1.0
    private var exponent: UInt64 = 0
    private var value = 1.0

    mutating func callAsFunction(_ base: Double, _ exponent: UInt64) -> Double {
        if base != self.base || exponent < self.exponent { (self.base, self.exponent, value) = (base, 0, 1) }
        while self.exponent < exponent {
            // Nothing comes after zero, and a base that changes at every step begins anew each time.
            if value == 0 {
                self.exponent = exponent
            } else {
                value *= base
                self.exponent += 1
            }
        }
        return value
    }
}
