package import Layers
internal import Sequences
package import TensorCore

/// Embedding, recurrent layers, and a linear layer that scores the next token.
package final class LanguageModel: Module {
    package let description: ModelDescription
    package let embedding: Embedding
    package let recurrent: RecurrentLayers
    package let output: Linear

    package init(_ description: ModelDescription) {
        self.description = description
        let generator = Generator(seed: description.seed)
        embedding = Embedding(
            numEmbeddings: description.vocabularySize, embeddingDim: description.embeddingDim, generator: generator)
        recurrent = RecurrentLayers(description, generator: generator)
        output = Linear(
            inFeatures: description.hiddenSize, outFeatures: description.vocabularySize, generator: generator)
        setPrecision(description.precision ?? .fp32)
    }

    /// What the loss is called where it is not finite: with finite gradients it is the scores that are too large.
    static let lossPart = "the loss of the scores that output.weight gives"

    /// - Parameters:
    ///   - tokens: `[T, B]`.
    ///   - state: what the last call on the same sequences returned; nil is zero.
    ///   - dropout: where masks come from; nil when not training.
    /// - Returns: the scores of each token's successor, `[T, B, V]`, and the state after the last step.
    package func callAsFunction(
        _ tokens: IntTensor, state: RecurrentState? = nil, dropout: DropoutStream? = nil
    ) -> (logits: Tensor, state: RecurrentState) {
        let (hidden, state) = recurrent(embedding(tokens), state: state, dropout: dropout)
        return (output(hidden), state)
    }

    /// The scores alone, of sequences that begin with a state of zero and are not gone on with.
    package func logits(_ tokens: IntTensor, dropout: DropoutStream? = nil) -> Tensor {
        output(recurrent.output(of: embedding(tokens), dropout: dropout))
    }

    /// The model as it is now, for going on with `rows` sequences one token at a time.
    package func recurrence(rows: Int) -> TokenRecurrence {
        let (kind, weights) = recurrent.stepwise
        return TokenRecurrence(
            embedding: embedding.weight, kind: kind, layers: weights, output: output.weight, outputBias: output.bias,
            rows: rows)
    }
}

extension TokenBatch {
    /// What goes into a model, `[T, B]`.
    var tokens: IntTensor { IntTensor(inputs, shape: [steps, rows]) }
}

/// The hidden states of all layers, `[L, B, H]`, and an LSTM's cell states.
package struct RecurrentState {
    package var hidden: Tensor
    package var cell: Tensor?

    package init(hidden: Tensor, cell: Tensor?) {
        self.hidden = hidden
        self.cell = cell
    }
}

/// One of the three kinds of recurrent layers.
package enum RecurrentLayers: Module {
    case rnn(RNN)
    case lstm(LSTM)
    case gru(GRU)

    init(_ description: ModelDescription, generator: Generator) {
        let (inputs, hidden, layers) = (description.embeddingDim, description.hiddenSize, description.numLayers)
        switch description.cell {
        case .rnn:
            self = .rnn(
                RNN(
                    inputSize: inputs, hiddenSize: hidden, numLayers: layers, nonlinearity: description.nonlinearity,
                    dropout: description.dropout, generator: generator))
        case .lstm:
            self = .lstm(
                LSTM(
                    inputSize: inputs, hiddenSize: hidden, numLayers: layers, dropout: description.dropout,
                    generator: generator))
        case .gru:
            self = .gru(
                GRU(
                    inputSize: inputs, hiddenSize: hidden, numLayers: layers, dropout: description.dropout,
                    generator: generator))
        }
    }

    package var namedParameters: [(name: String, parameter: Parameter)] {
        switch self {
        case .rnn(let layers): layers.namedParameters
        case .lstm(let layers): layers.namedParameters
        case .gru(let layers): layers.namedParameters
        }
    }

    var stepwise: (kind: RecurrentCellKind, weights: [RecurrentWeights]) {
        switch self {
        case .rnn(let layers): layers.stepwise
        case .lstm(let layers): layers.stepwise
        case .gru(let layers): layers.stepwise
        }
    }

    func output(of input: Tensor, dropout: DropoutStream?) -> Tensor {
        switch self {
        case .rnn(let layers): layers.output(of: input, dropout: dropout)
        case .lstm(let layers): layers.output(of: input, dropout: dropout)
        case .gru(let layers): layers.output(of: input, dropout: dropout)
        }
    }

    func callAsFunction(
        _ input: Tensor, state: RecurrentState?, dropout: DropoutStream?
    ) -> (output: Tensor, state: RecurrentState) {
        switch self {
        case .rnn(let layers):
            let (output, hidden) = layers(input, state: state?.hidden, dropout: dropout)
            return (output, RecurrentState(hidden: hidden, cell: nil))
        case .gru(let layers):
            let (output, hidden) = layers(input, state: state?.hidden, dropout: dropout)
            return (output, RecurrentState(hidden: hidden, cell: nil))
        case .lstm(let layers):
            let (output, last) = layers(
                input, state: state.flatMap { state in state.cell.map { (state.hidden, $0) } }, dropout: dropout)
            return (output, RecurrentState(hidden: last.hidden, cell: last.cell))
        }
    }
}
