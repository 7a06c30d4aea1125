internal import CKernels

extension Tensor {
    /// The rows of `weight` that the tokens name.
    ///
    /// - Parameters:
    ///   - tokens: T·B of them, time-major, each in `0..<V`.
    ///   - weight: `[V, E]`.
    /// - Returns: `[T, B, E]`.
    package static func embedding(_ tokens: [Int32], steps: Int, batch: Int, weight: Parameter) -> Tensor {
        let (vocabulary, width) = (weight.shape[0], weight.shape[1])
        require(tokens.count == steps * batch, "embedding: \(tokens.count) tokens for \(steps) steps of \(batch) rows")
        for token in tokens {
            require(token >= 0 && token < vocabulary, "embedding: token \(token) is outside a table of shape \(weight.shape)")
        }
        let result = Tensor(shape: [steps, batch, width], storage: Storage(count: tokens.count * width))
        unsafe ck_embedding(tokens.count, width, weight.storage.base, tokens, result.base)
        return recorded("embedding", inputs: [], uses: [weight], results: [result]) { pass, cotangents in
            guard let dy = cotangents[0] else { return }
            pass.accumulate(weight, batch: batch) { rows, destination in
                // Rows are added in token-position order to a sum of their own, which joins the others once.
                let own = destination.start == CK_FROM_ZERO
                let fresh = own ? nil : Storage(count: weight.count)
                let table = unsafe fresh?.base ?? destination.base
                unsafe table.update(repeating: 0, count: weight.count)
                unsafe tokens.withUnsafeBufferPointer { tokens in
                    unsafe ck_embedding_backward(
                        steps * rows.count, width, dy.base + rows.lowerBound * width,
                        .steps(of: rows, batch: batch, width: width), tokens.baseAddress! + rows.lowerBound,
                        .steps(of: rows, batch: batch, width: 1), table)
                }
                if !own { unsafe ck_add(weight.count, table, destination.base) }
            }
        }[0]
    }
}
