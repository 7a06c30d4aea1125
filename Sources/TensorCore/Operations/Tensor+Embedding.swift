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
        let (vocabulary, width) = (weight.shape[0], weight.shape[1])
        for token in tokens.values {
            require(token >= 0 && token < vocabulary, "embedding: token \(token) is outside a table of shape \(weight.shape)")
        }
        let result = Tensor(shape: tokens.shape + [width], storage: Storage(count: tokens.count * width))
        unsafe ck_embedding(tokens.count, width, weight.storage.base, tokens.values, result.base)
        let (steps, batch) = tokens.shape.count == 2 ? (tokens.shape[0], tokens.shape[1]) : (1, tokens.count)
        return recorded("embedding", inputs: [], uses: [weight], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.accumulate(weight, batch: batch) { rows, destination in
                // Rows are added in token-position order to a sum of their own, which joins the others once.
                let own = destination.start == CK_FROM_ZERO
                let fresh = own ? nil : Storage(count: weight.count)
                let table = unsafe fresh?.base ?? destination.base
                unsafe table.update(repeating: 0, count: weight.count)
                unsafe tokens.values.withUnsafeBufferPointer { tokens in
                    guard tokens.count > 0 else { return }
                    unsafe ck_embedding_backward(
                        steps * rows.count, width, dy.base + rows.lowerBound * width,
                        .steps(of: rows, batch: batch, width: width), tokens.baseAddress! + rows.lowerBound,
                        .steps(of: rows, batch: batch, width: 1), table)
                }
                if options.scalesGradientByFrequency {
                    let looked = (0..<steps).flatMap { step in tokens.values[step * batch + rows.lowerBound..<step * batch + rows.upperBound] }
                    for (token, occurrences) in Dictionary(looked.map { ($0, 1) }, uniquingKeysWith: +) where occurrences > 1 {
                        let row = unsafe table + Int(token) * width
                        unsafe ck_scale(width, 1 / Float(occurrences), row, row)
                    }
                }
                if let padding = options.paddingIndex { unsafe (table + padding * width).update(repeating: 0, count: width) }
                if !own { unsafe ck_add(weight.count, table, destination.base) }
            }
        }[0]
    }
}

extension Parameter {
    /// Scales each row that the tokens name down to a norm of at most `maxNorm`, as PyTorch's `embedding_renorm_`: by
    /// maxNorm / (norm + 1e-7).
    ///
    /// - Parameter normType: p of the p-norm; infinity for the largest magnitude.
    package func renormalizeRows(_ tokens: IntTensor, maxNorm: Float, normType: Float) {
        let width = shape[1]
        unsafe update { values in
            for token in Set(tokens.values) {
                let row = unsafe values.baseAddress! + Int(token) * width
                let norm = unsafe Norm(normType).of(row, count: width)
                if norm > maxNorm { unsafe ck_scale(width, maxNorm / (norm + 1e-7), row, row) }
            }
        }
    }
}

/// The p-norm of a few numbers, added up in order in double precision.
private struct Norm {
    let p: Float

    init(_ p: Float) {
        require(p > 0, "embedding: norm type \(p); expected a positive number")
        self.p = p
    }

    func of(_ x: UnsafePointer<Float>, count: Int) -> Float {
        if p == 2 { return Float(unsafe ck_sum_of_squares(count, 1, x).squareRoot()) }
        if p.isInfinite { return (0..<count).reduce(0) { unsafe max($0, abs(x[$1])) } }
        let sum = (0..<count).reduce(0.0) { sum, index in
            let magnitude = unsafe abs(x[index])
            return sum + Double(p == 1 || magnitude == 0 ? magnitude : Elementary.exp(p * Elementary.log(magnitude)))
        }
        return p == 1 || sum == 0 ? Float(sum) : Elementary.exp(Elementary.log(Float(sum)) / p)
    }
}
