internal import CKernels

/// A language model that goes on with sequences one token at a time: embedding, recurrent layers, scores.
///
/// Weights are packed once, when it is made, and it keeps those of that moment. A token then costs one pass over them, no tape and
/// no allocation; the scores have the bits that the layers over whole sequences give.
package final class TokenRecurrence {
    private let rows: Int
    private let classes: Int
    private let table: Storage
    private let width: Int
    /// The embedded tokens, `[rows, E]`; one row is read in the table itself.
    private let embedded: Storage?
    private let layers: [RecurrentStep]
    private let output: StepProduct
    /// The scores of each row's next token after `advance`, `[rows, V]`.
    package let scores: Storage

    /// - Parameters:
    ///   - embedding: `[V, E]`.
    ///   - layers: of one direction, bottom first.
    ///   - output: `[V, H]`, with its bias `[V]`.
    ///   - rows: sequences side by side; all begin with zero states.
    package init(
        embedding: Parameter, kind: RecurrentCellKind, layers: [RecurrentWeights], output: Parameter,
        outputBias: Parameter?, rows: Int
    ) {
        require(rows > 0 && !layers.isEmpty, "TokenRecurrence: \(rows) rows, \(layers.count) layers")
        var flowing = embedding.shape[1]
        for weights in layers {
            require(
                weights.inputSize == flowing,
                "TokenRecurrence: a layer of \(weights.inputSize) inputs above \(flowing) outputs")
            flowing = weights.outputSize
        }
        require(
            output.shape[1] == flowing,
            "TokenRecurrence: scores from \(output.shape[1]) inputs above \(flowing) outputs")
        self.rows = rows
        classes = output.shape[0]
        table = embedding.storage
        width = embedding.shape[1]
        embedded = rows > 1 ? Storage(count: rows * width) : nil
        self.layers = layers.map { RecurrentStep(kind, $0, rows: rows) }
        self.output = StepProduct(output, bias: outputBias?.storage, rows: rows)
        scores = Storage(count: rows * classes)
    }

    /// Takes in the next token of every row.
    package func advance(_ tokens: [Int32]) {
        require(tokens.count == rows, "advance: \(tokens.count) tokens for \(rows) rows")
        let limit = Int32(clamping: table.count / width)
        for token in tokens { require(token >= 0 && token < limit, "advance: token \(token) of \(limit)") }
        var flowing: UnsafePointer<Float>
        if let embedded {
            unsafe ck_embedding(rows, width, table.base, tokens, embedded.base)
            unsafe flowing = UnsafePointer(embedded.base)
        } else {
            unsafe flowing = UnsafePointer(table.base + Int(tokens[0]) * width)
        }
        for layer in layers { unsafe flowing = layer.advance(flowing) }
        unsafe output(flowing, into: scores.base)
    }

    /// The share of each class: softmax of the scores times `factor`, into `[rows, V]`.
    package func shares(scaledBy factor: Float, into shares: Storage) {
        require(shares.count == scores.count, "shares: room for \(shares.count) of \(scores.count)")
        unsafe ck_scale(scores.count, factor, scores.base, shares.base)
        unsafe ck_softmax(rows, classes, shares.base, shares.base)
    }
}
