internal import CKernels

extension Tensor {
    /// Softmax cross-entropy of each row against its target class.
    ///
    /// - Parameter targets: one a row, time-major; a target below 0 is not counted.
    /// - Returns: `sum`, the scalar Σ of the counted losses, in nats; `each`, the loss of every row (0 where not counted), in self's shape without the last axis.
    package func crossEntropy(_ targets: [Int32]) -> (sum: Tensor, each: Tensor) {
        let classes = shape.last ?? 0
        let rows = classes == 0 ? 0 : count / classes
        require(targets.count == rows, "crossEntropy: \(targets.count) targets for logits of shape \(shape)")
        for target in targets {
            require(target < classes, "crossEntropy: target \(target) is outside the classes of logits of shape \(shape)")
        }
        let each = Tensor(shape: Array(shape.dropLast()), storage: Storage(count: rows))
        let wanted = requiresGradient && GradientMode.isEnabled
        let gradient = wanted ? Tensor(shape: shape, storage: Storage(count: count)) : nil
        unsafe ck_cross_entropy(rows, classes, base, targets, each.base, gradient?.base)
        let sum = Tensor(Float(unsafe ck_sum(rows, each.base)))
        let recorded = Tensor.recorded("crossEntropy", inputs: [self], results: [sum]) { pass, cotangents in
            guard let dy = cotangents[0], let gradient else { return }
            if dy.item != 1 { unsafe ck_scale(gradient.count, dy.item, gradient.base, gradient.base) }
            pass.send(gradient, to: origin)
        }
        return (recorded[0], each)
    }
}
