internal import Foundation
internal import Layers
package import TensorCore

/// The recurrent cells that a language model can be built of.
package enum Cell: String, Codable, Sendable, CaseIterable {
    case rnn, lstm, gru

    /// Blocks of hidden units in a layer's weights.
    package var gatesPerUnit: Int {
        switch self {
        case .rnn: 1
        case .lstm: 4
        case .gru: 3
        }
    }
}

/// Everything that is needed to build a model and to fill in its first parameters.
package struct ModelDescription: Codable, Sendable, Equatable {
    package var cell: Cell
    package var vocabularySize: Int
    package var embeddingDim: Int
    package var hiddenSize: Int
    package var numLayers: Int
    package var dropout: Float
    package var nonlinearity: Nonlinearity
    /// Of its matrix products; nil is fp32, as before there was a choice.
    package var precision: Precision?
    /// Initial parameters and dropout masks follow from it.
    package var seed: UInt64

    package init(
        cell: Cell, vocabularySize: Int, embeddingDim: Int, hiddenSize: Int, numLayers: Int, dropout: Float = 0,
        nonlinearity: Nonlinearity = .tanh, precision: Precision? = nil, seed: UInt64
    ) {
        self.cell = cell
        self.vocabularySize = vocabularySize
        self.embeddingDim = embeddingDim
        self.hiddenSize = hiddenSize
        self.numLayers = numLayers
        self.dropout = dropout
        self.nonlinearity = nonlinearity
        self.precision = precision
        self.seed = seed
    }

    /// Floats of carried state a sequence: each layer's hidden state, and an LSTM's cell state.
    package var stateSize: Int { numLayers * hiddenSize * (cell == .lstm ? 2 : 1) }

    /// Multiply-adds of the matrix products of one token's forward pass.
    package var multiplyAddsPerToken: Int {
        (0..<numLayers).reduce(hiddenSize * vocabularySize) { total, layer in
            total + cell.gatesPerUnit * hiddenSize * ((layer == 0 ? embeddingDim : hiddenSize) + hiddenSize)
        }
    }
}

extension Precision {
    /// As runs and models keep it: nil for fp32.
    package var recorded: Precision? { self == .fp32 ? nil : self }
}

// As JSON, for a worker's welcome.
extension ModelDescription {
    package func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do { return Array(try encoder.encode(self)) } catch { fatalError("ModelDescription: \(error)") }
    }

    /// nil for bytes that describe no model, or one that cannot be built.
    package init?(decoding bytes: [UInt8]) {
        guard let description = try? JSONDecoder().decode(ModelDescription.self, from: Data(bytes)),
            [description.vocabularySize, description.embeddingDim, description.hiddenSize, description.numLayers]
                .allSatisfy({ (1...1 << 24).contains($0) }), description.numLayers < 256,
            description.dropout >= 0, description.dropout < 1
        else { return nil }
        self = description
    }
}
