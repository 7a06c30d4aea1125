import Foundation
import Layers
import TensorCore
import Testing

/// Which recurrent layer a test is about.
struct RecurrentCase: Sendable, CustomTestStringConvertible {
    enum Kind: String, Sendable, CaseIterable {
        case lstm, gru, tanh, relu

        var gates: Int { self == .lstm ? 4 : self == .gru ? 3 : 1 }
    }

    var kind: Kind
    var inputs = 3
    var hidden = 5
    var layers = 1
    var bias = true
    var batchFirst = false
    var bidirectional = false
    /// P of an LSTM that projects.
    var projection = 0
    var dropout: Float = 0
    /// Of the sequences, T is the longest.
    var lengths = [3, 3]
    var isPacked = false
    var hasStates = true

    var directions: Int { bidirectional ? 2 : 1 }
    var outputs: Int { projection > 0 ? projection : hidden }
    var steps: Int { lengths.max() ?? 0 }
    var batch: Int { lengths.count }
    /// Widths of the states: hidden, and cell of an LSTM.
    var stateWidths: [Int] { kind == .lstm ? [outputs, hidden] : [outputs] }

    var testDescription: String {
        "\(kind) \(inputs)→\(hidden)\(projection > 0 ? "→\(projection)" : "") L\(layers)\(bidirectional ? " both ways" : "")"
            + "\(bias ? "" : " no bias")\(batchFirst ? " batch first" : "")\(hasStates ? "" : " from zero")"
            + " \(isPacked ? "packed" : "padded") \(lengths)"
    }
}

/// Any of the three kinds of layers behind one signature.
struct AnyRecurrent {
    let options: RecurrentCase
    let module: any Module
    private let padded: (Tensor, [Tensor]?, DropoutStream?) -> (Tensor, [Tensor])
    private let packed: (PackedSequence, [Tensor]?, DropoutStream?) -> (PackedSequence, [Tensor])

    init(_ options: RecurrentCase, seed: UInt64 = 1) {
        self.options = options
        let generator = Generator(seed: seed)
        switch options.kind {
        case .lstm:
            let layer = LSTM(
                inputSize: options.inputs, hiddenSize: options.hidden, numLayers: options.layers, bias: options.bias,
                batchFirst: options.batchFirst, dropout: options.dropout, bidirectional: options.bidirectional,
                projSize: options.projection, generator: generator)
            module = layer
            func pair(_ states: [Tensor]?) -> (hidden: Tensor, cell: Tensor)? { states.map { ($0[0], $0[1]) } }
            padded = {
                let (output, state) = layer($0, state: pair($1), dropout: $2)
                return (output, [state.hidden, state.cell])
            }
            packed = {
                let (output, state) = layer($0, state: pair($1), dropout: $2)
                return (output, [state.hidden, state.cell])
            }
        case .gru:
            let layer = GRU(
                inputSize: options.inputs, hiddenSize: options.hidden, numLayers: options.layers, bias: options.bias,
                batchFirst: options.batchFirst, dropout: options.dropout, bidirectional: options.bidirectional,
                generator: generator)
            module = layer
            padded = {
                let (output, state) = layer($0, state: $1?[0], dropout: $2)
                return (output, [state])
            }
            packed = {
                let (output, state) = layer($0, state: $1?[0], dropout: $2)
                return (output, [state])
            }
        case .tanh, .relu:
            let layer = RNN(
                inputSize: options.inputs, hiddenSize: options.hidden, numLayers: options.layers,
                nonlinearity: options.kind == .tanh ? .tanh : .relu, bias: options.bias, batchFirst: options.batchFirst,
                dropout: options.dropout, bidirectional: options.bidirectional, generator: generator)
            module = layer
            padded = {
                let (output, state) = layer($0, state: $1?[0], dropout: $2)
                return (output, [state])
            }
            packed = {
                let (output, state) = layer($0, state: $1?[0], dropout: $2)
                return (output, [state])
            }
        }
    }

    func callAsFunction(_ input: Tensor, states: [Tensor]? = nil, dropout: DropoutStream? = nil) -> (
        output: Tensor, states: [Tensor]
    ) { padded(input, states, dropout) }

    func callAsFunction(_ input: PackedSequence, states: [Tensor]? = nil, dropout: DropoutStream? = nil) -> (
        output: PackedSequence, states: [Tensor]
    ) { packed(input, states, dropout) }
}

/// What the layers compute, one sequence after another in double precision, from the definitions in PyTorch's manual.
struct RecurrentReference {
    let options: RecurrentCase
    /// By PyTorch's names, row-major.
    var weights: [String: [Double]]

    /// - Parameters:
    ///   - sequence: `[T][I]`.
    ///   - states: hidden and cell, by place `[L·D]`.
    /// - Returns: outputs `[T][D·P]`; the states after the last step, by kind and place.
    func callAsFunction(_ sequence: [[Double]], states: [[[Double]]]) -> (output: [[Double]], states: [[[Double]]]) {
        var flowing = sequence
        var last = states
        for layer in 0..<options.layers {
            var next = Array(repeating: [Double](), count: sequence.count)
            for direction in 0..<options.directions {
                let place = layer * options.directions + direction
                let suffix = "_l\(layer)\(direction == 1 ? "_reverse" : "")"
                var state = states.map { $0[place] }
                let order = direction == 1 ? Array(flowing.indices.reversed()) : Array(flowing.indices)
                for step in order {
                    state = self.step(flowing[step], state, suffix)
                    next[step] += state[0]
                }
                for kind in state.indices { last[kind][place] = state[kind] }
            }
            flowing = next
        }
        return (flowing, last)
    }

    private func step(_ x: [Double], _ state: [[Double]], _ suffix: String) -> [[Double]] {
        let size = options.hidden
        let (h, fromInput) = (state[0], side("ih", x, suffix))
        let fromHidden = side("hh", h, suffix)
        func gate(_ index: Int) -> [Double] {
            (index * size..<(index + 1) * size).map { fromInput[$0] + fromHidden[$0] }
        }
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        switch options.kind {
        case .tanh: return [gate(0).map { tanh($0) }]
        case .relu: return [gate(0).map { max($0, 0) }]
        case .gru:
            let (r, z) = (gate(0).map(sigmoid), gate(1).map(sigmoid))
            return [
                (0..<size).map { unit in
                    let n = tanh(fromInput[2 * size + unit] + r[unit] * fromHidden[2 * size + unit])
                    return (1 - z[unit]) * n + z[unit] * h[unit]
                }
            ]
        case .lstm:
            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3))
            let cell = (0..<size).map { sigmoid(f[$0]) * state[1][$0] + sigmoid(i[$0]) * tanh(g[$0]) }
            let squashed = (0..<size).map { sigmoid(o[$0]) * tanh(cell[$0]) }
            guard let projection = weights["weight_hr\(suffix)"] else { return [squashed, cell] }
            return [product(projection, squashed), cell]
        }
    }

    private func side(_ name: String, _ x: [Double], _ suffix: String) -> [Double] {
        let sums = product(weights["weight_\(name)\(suffix)"] ?? [], x)
        guard let bias = weights["bias_\(name)\(suffix)"] else { return sums }
        return zip(sums, bias).map(+)
    }

    /// Matrix by vector.
    private func product(_ matrix: [Double], _ x: [Double]) -> [Double] {
        stride(from: 0, to: matrix.count, by: x.count).map { row in
            var sum = 0.0
            for column in x.indices { sum += matrix[row + column] * x[column] }
            return sum
        }
    }
}
