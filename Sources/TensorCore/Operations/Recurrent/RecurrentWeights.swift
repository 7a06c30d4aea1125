internal import CKernels

/// The parameters of one recurrent layer in one direction, PyTorch's names without the layer's suffix. G is 4 for an LSTM, 3 for a
/// GRU, 1 for an RNN; P, the width of the hidden state, is H unless an LSTM projects.
package struct RecurrentWeights {
    /// `[G·H, I]`.
    package let inputHidden: Parameter
    /// `[G·H, P]`.
    package let hiddenHidden: Parameter
    /// `[G·H]`, both or neither.
    package let biasInputHidden: Parameter?
    package let biasHiddenHidden: Parameter?
    /// `[P, H]`, of an LSTM with projections.
    package let projection: Parameter?

    package init(
        inputHidden: Parameter, hiddenHidden: Parameter, biasInputHidden: Parameter?, biasHiddenHidden: Parameter?,
        projection: Parameter? = nil
    ) {
        let width = hiddenHidden.shape[0]
        require(
            inputHidden.shape[0] == width && (biasInputHidden?.shape ?? [width]) == [width]
                && (biasHiddenHidden?.shape ?? [width]) == [width]
                && (biasInputHidden == nil) == (biasHiddenHidden == nil)
                && (projection.map { $0.shape[0] == hiddenHidden.shape[1] } ?? true),
            "recurrent layer: weights \(inputHidden.shape) and \(hiddenHidden.shape) with biases \(biasInputHidden?.shape ?? []) and \(biasHiddenHidden?.shape ?? []) and projection \(projection?.shape ?? []) do not belong together"
        )
        require(
            hiddenHidden.precision == inputHidden.precision
                && (projection.map { $0.precision == inputHidden.precision } ?? true),
            "recurrent layer: weights for products in \(inputHidden.precision) and \(hiddenHidden.precision) do not belong together"
        )
        self.inputHidden = inputHidden
        self.hiddenHidden = hiddenHidden
        self.biasInputHidden = biasInputHidden
        self.biasHiddenHidden = biasHiddenHidden
        self.projection = projection
    }

    var precision: Precision { inputHidden.precision }
    var inputSize: Int { inputHidden.shape[1] }
    /// P.
    var outputSize: Int { hiddenHidden.shape[1] }
    /// H.
    var hiddenSize: Int { projection?.shape[1] ?? outputSize }
    /// G·H.
    var gateWidth: Int { hiddenHidden.shape[0] }

    /// In PyTorch's order.
    package var all: [Parameter] {
        [inputHidden, hiddenHidden] + [biasInputHidden, biasHiddenHidden, projection].compactMap { $0 }
    }

    /// Both biases added up once: what the chain of a pre-activation starts from.
    var summedBias: Storage? {
        guard let biasInputHidden, let biasHiddenHidden else { return nil }
        let sum = Storage(count: gateWidth)
        unsafe sum.base.update(from: biasInputHidden.storage.base, count: gateWidth)
        unsafe ck_add(gateWidth, biasHiddenHidden.storage.base, sum.base)
        return sum
    }
}
