internal import CKernels

/// What an embedding's gradient leaves out or weighs.
package struct EmbeddingOptions: Sendable {
    /// A token whose row gets no gradient.
    package var paddingIndex: Int?
    /// Each row's gradient is divided by how often its token occurs among those looked up at once (in a sharded pass: in the shard).
    package var scalesGradientByFrequency: Bool

    package init(paddingIndex: Int? = nil, scalesGradientByFrequency: Bool = false) {
        self.paddingIndex = paddingIndex
        self.scalesGradientByFrequency = scalesGradientByFrequency
    }
}

extension Tensor {
    /// The rows of `weight` that the tokens name.
    ///
    /// - Parameters:
    ///   - tokens: of any shape, each in `0..<V`; `[T, B]` where gradients of shards are kept apart.
    ///   - weight: `[V, E]`.
    /// - Returns: the tokens' shape and E.
    package static func embedding(
        _ tokens: IntTensor, weight: Parameter, options: EmbeddingOptions = EmbeddingOptions()
    ) -> Tensor {
        weight.requireRows(tokens)
        let width = weight.shape[1]
        let result = Tensor(shape: tokens.shape + [width], storage: Storage(count: tokens.count * width))
        unsafe ck_embedding(tokens.count, width, weight.storage.base, tokens.values, result.base)
        let (steps, batch) = tokens.shape.count == 2 ? (tokens.shape[0], tokens.shape[1]) : (1, tokens.count)
        return recorded("embedding", inputs: [], uses: [weight], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            let lookup = Lookup(tokens: tokens.values, steps: steps, batch: batch, width: width, options: options)
            if weight.hasSparseGradient {
                pass.accumulateRows(weight, batch: batch) { rows in lookup.rowGradient(dy, rows) }
                return
            }
            pass.accumulate(weight, batch: batch) { rows, destination in
                // Rows are added in token-position order to a sum of their own, which joins the others once.
                let own = destination.start == CK_FROM_ZERO
                let fresh = own ? nil : Storage(count: weight.count)
                let table = unsafe fresh?.base ?? destination.base
                unsafe table.update(repeating: 0, count: weight.count)
                let looked = lookup.tokens(of: rows)
                unsafe lookup.add(dy, rows, at: looked, to: table)
                if options.scalesGradientByFrequency {
                    for (token, count) in occurrences(looked) where count > 1 {
                        let row = unsafe table + Int(token) * width
                        unsafe ck_scale(width, 1 / Float(count), row, row)
                    }
                }
                if let padding = options.paddingIndex {
                    unsafe (table + padding * width).update(repeating: 0, count: width)
                }
                if !own { unsafe ck_add(weight.count, table, destination.base) }
            }
        }[0]
    }
}

/// How often each token occurs.
private func occurrences(_ tokens: [Int32]) -> [Int32: Int] { Dictionary(tokens.map { ($0, 1) }, uniquingKeysWith: +) }

/// Tokens that were looked up at once, for the way back.
private struct Lookup {
    let tokens: [Int32]
    let steps: Int
    let batch: Int
    let width: Int
    let options: EmbeddingOptions

    /// Those of some rows of the batch, in position order.
    func tokens(of rows: Range<Int>) -> [Int32] {
        rows.count == batch
            ? tokens : (0..<steps).flatMap { tokens[$0 * batch + rows.lowerBound..<$0 * batch + rows.upperBound] }
    }

    /// Adds dy of some rows of the batch, in position order, to the table's rows named by `places`.
    func add(_ dy: Tensor, _ rows: Range<Int>, at places: [Int32], to table: UnsafeMutablePointer<Float>) {
        guard !places.isEmpty else { return }
        unsafe ck_embedding_backward(
            places.count, width, dy.base + rows.lowerBound * width, .steps(of: rows, batch: batch, width: width),
            places,
            .plain(places.count, stride: 1), table)
    }

    /// The gradient of the table's rows that some rows of the batch looked up.
    func rowGradient(_ dy: Tensor, _ rows: Range<Int>) -> RowGradient {
        let looked = tokens(of: rows)
        let counts = occurrences(looked)
        let touched = counts.keys.sorted()
        let place = Dictionary(uniqueKeysWithValues: touched.enumerated().map { ($1, Int32($0)) })
        let values = Storage(zeros: touched.count * width)
        unsafe add(dy, rows, at: looked.map { place[$0] ?? 0 }, to: values.base)
        for (index, token) in touched.enumerated() {
            let row = unsafe values.base + index * width
            let count = counts[token] ?? 1
            if options.scalesGradientByFrequency, count > 1 { unsafe ck_scale(width, 1 / Float(count), row, row) }
            if Int(token) == options.paddingIndex { unsafe row.update(repeating: 0, count: width) }
        }
        return RowGradient(rows: touched, width: width, values: values)
    }
}

extension Parameter {
    /// Stops at a token that names no row of a table.
    fileprivate func requireRows(_ tokens: IntTensor) {
        for token in tokens.values {
            require(
                token >= 0 && token < shape[0],
                "embedding: token \(token) among tokens of shape \(tokens.shape) is outside a table of shape \(shape)")
        }
    }

    /// Scales each row that the tokens name down to a norm of at most `maxNorm`, as PyTorch's `embedding_renorm_`: by
    /// maxNorm / (norm + 1e-7).
    ///
    /// - Parameter normType: p of the p-norm; infinity for the largest magnitude.
    package func renormalizeRows(_ tokens: IntTensor, maxNorm: Float, normType: Float) {
        requireRows(tokens)
        let width = shape[1]
        unsafe update { values in
            for token in Set(tokens.values) {
                let row = unsafe values.baseAddress! + Int(token) * width
                let norm = unsafe VectorNorm(normType).of(UnsafeBufferPointer(start: row, count: width))
                if norm > maxNorm { unsafe ck_scale(width, maxNorm / (norm + 1e-7), row, row) }
            }
        }
    }
}
