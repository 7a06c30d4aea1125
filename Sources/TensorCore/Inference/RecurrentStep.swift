internal import CKernels

/// Which equations a recurrent layer follows.
package enum RecurrentCellKind: Sendable, Equatable {
    case rnn(Nonlinearity)
    case lstm
    case gru
}

/// One recurrent layer that goes on step by step: its states, and the room that a step needs.
final class RecurrentStep {
    private let kind: RecurrentCellKind
    private let rows: Int
    private let size: Int
    private let fromInput: StepProduct
    private let fromHidden: StepProduct
    /// Pre-activations, then gates, `[rows, G·H]`; a GRU keeps the hidden side apart.
    private let gates: Storage
    private let hiddenGates: Storage?
    /// States before a step and after it change places. `[rows, H]`
    private var hiddens: (now: Storage, next: Storage)
    private var cells: (now: Storage, next: Storage)?
    private let squashedCells: Storage?

    init(_ kind: RecurrentCellKind, _ weights: RecurrentWeights, rows: Int) {
        require(weights.projection == nil, "RecurrentStep: an LSTM with projections")
        self.kind = kind
        self.rows = rows
        size = weights.hiddenSize
        let state = rows * weights.hiddenSize
        // The reset gate of a GRU multiplies the hidden side alone, so that its two sides stay apart.
        let bias = kind == .gru ? weights.biasInputHidden?.storage : weights.summedBias
        fromInput = StepProduct(weights.inputHidden, bias: bias, rows: rows)
        fromHidden = StepProduct(
            weights.hiddenHidden, bias: kind == .gru ? weights.biasHiddenHidden?.storage : nil, rows: rows)
        gates = Storage(count: rows * weights.gateWidth)
        hiddenGates = kind == .gru ? Storage(count: rows * weights.gateWidth) : nil
        hiddens = (Storage(zeros: state), Storage(count: state))
        cells = kind == .lstm ? (Storage(zeros: state), Storage(count: state)) : nil
        squashedCells = kind == .lstm ? Storage(count: state) : nil
    }

    /// Takes in one step.
    ///
    /// - Parameter x: `[rows, I]`.
    /// - Returns: the layer's hidden state after it, `[rows, H]`, good until the next step.
    func advance(_ x: UnsafePointer<Float>) -> UnsafePointer<Float> {
        unsafe fromInput(x, into: gates.base)
        let (now, next) = unsafe (hiddens.now.base, hiddens.next.base)
        if let hiddenGates {
            unsafe fromHidden(now, into: hiddenGates.base)
            unsafe ck_gru_forward(rows, size, gates.base, hiddenGates.base, now, size, next, size)
        } else {
            unsafe fromHidden.goOn(now, from: gates.base)
            switch kind {
            case .rnn(let nonlinearity):
                unsafe ck_rnn_forward(nonlinearity.kernel, rows, size, gates.base, next, size)
            case .lstm, .gru:
                guard let (cell, following) = cells, let squashedCells else { fatalError("advance: no cell states") }
                unsafe ck_lstm_forward(
                    rows, size, gates.base, cell.base, following.base, squashedCells.base, next, size)
                cells = (following, cell)
            }
        }
        hiddens = (hiddens.next, hiddens.now)
        return unsafe UnsafePointer(next)
    }
}
