internal import CKernels

extension Tensor {
    /// Softmax cross-entropy of each row against its target class.
    ///
    /// - Parameters:
    ///   - targets: one a row, time-major; a target below 0 is not counted.
    ///   - overwrites: puts the gradient where self's values are, which nobody may look at any more: the scores of a large vocabulary are
    ///     among the largest tensors of a step.
    /// - Returns: `sum`, the scalar Σ of the counted losses, in nats; `each`, the loss of every row (0 where not counted), in self's shape without the last axis.
    package func crossEntropy(_ targets: [Int32], overwrites: Bool = false) -> (sum: Tensor, each: Tensor) {
        let (each, gradient) = crossEntropyAndGradient(targets, overwrites: overwrites)
        let sum = recording("crossEntropy", Tensor(Float(unsafe ck_sum(each.count, each.base)))) { dy in
            guard let gradient else { fatalError("crossEntropy: no gradient was computed for shape \(each.shape)") }
            if dy.item != 1 { unsafe ck_scale(gradient.count, dy.item, gradient.base, gradient.base) }
            return gradient
        }
        return (sum, each)
    }

    /// As `crossEntropy(_:)`, with the gradient of each row's loss recorded.
    ///
    /// The loss is (1 − ε) · w[target] · −ln p[target] + ε / V · Σ w · −ln p, p the row's softmax: PyTorch's, before any mean.
    ///
    /// - Parameters:
    ///   - weights: w, one a class; nil for all 1.
    ///   - smoothing: ε, in 0...1.
    /// - Returns: the loss of every row, 0 where not counted, in self's shape without the last axis.
    package func crossEntropyOfRows(_ targets: [Int32], weights: [Float]? = nil, smoothing: Float = 0) -> Tensor {
        let plain = weights == nil && smoothing == 0
        let (each, gradient) =
            plain
            ? crossEntropyAndGradient(targets) : weightedCrossEntropy(targets, weights: weights, smoothing: smoothing)
        let width = shape.last ?? 0
        return recording("crossEntropy", each) { dy in
            guard let gradient else { fatalError("crossEntropy: no gradient was computed for shape \(each.shape)") }
            // A row that is not counted has the gradient 0, whatever arrives: 0 · ∞ would be NaN.
            for (row, target) in targets.enumerated() where target >= 0 {
                let (factor, place) = unsafe (dy.base[row], gradient.base + row * width)
                if factor != 1 { unsafe ck_scale(width, factor, place, place) }
            }
            return gradient
        }
    }

    private func crossEntropyAndGradient(
        _ targets: [Int32], overwrites: Bool = false
    ) -> (each: Tensor, gradient: Tensor?) {
        let (rows, classes) = rowsAndClasses(targets)
        let each = Tensor.unfilled(shape.dropLast())
        let gradient =
            requiresGradient && GradientMode.isEnabled
            ? overwrites ? Tensor(shape: shape, storage: storage, offset: offset) : Tensor.unfilled(shape) : nil
        unsafe ck_cross_entropy(rows, classes, base, targets, each.base, gradient?.base)
        return (each, gradient)
    }

    private func weightedCrossEntropy(
        _ targets: [Int32], weights: [Float]?, smoothing: Float
    ) -> (each: Tensor, gradient: Tensor?) {
        let (rows, classes) = rowsAndClasses(targets)
        let weights = weights ?? Array(repeating: 1, count: classes)
        require(weights.count == classes, "crossEntropy: \(weights.count) weights for logits of shape \(shape)")
        let (sharp, spread) = (1 - Double(smoothing), classes == 0 ? 0 : Double(smoothing) / Double(classes))
        let spreadSum = spread * weights.reduce(0) { $0 + Double($1) }
        let each = Tensor.zeros(shape.dropLast())
        let gradient = requiresGradient && GradientMode.isEnabled ? Tensor.zeros(shape) : nil
        let logarithms = Tensor.unfilled(shape)
        unsafe ck_log_softmax(rows, classes, base, logarithms.base)
        for (row, target) in targets.enumerated() where target >= 0 {
            let target = Int(target)
            let logarithm = unsafe logarithms.base + row * classes
            let own = sharp * Double(weights[target])
            var others = 0.0
            if spread != 0 {
                for index in 0..<classes { unsafe others -= Double(weights[index]) * Double(logarithm[index]) }
            }
            unsafe each.base[row] = Float(spread * others - own * Double(logarithm[target]))
            guard let gradient else { continue }
            // The wanted shares q sum to Q; the gradient is Q · p − q.
            let place = unsafe gradient.base + row * classes
            unsafe ck_exp(classes, logarithm, place)
            for index in 0..<classes {
                let wanted = spread * Double(weights[index]) + (index == target ? own : 0)
                unsafe place[index] = Float((own + spreadSum) * Double(place[index]) - wanted)
            }
        }
        return (each, gradient)
    }

    private func rowsAndClasses(_ targets: [Int32]) -> (rows: Int, classes: Int) {
        let classes = shape.last ?? 0
        let rows = shape.dropLast().reduce(1, *)
        require(targets.count == rows, "crossEntropy: \(targets.count) targets for logits of shape \(shape)")
        for target in targets {
            require(
                target < classes, "crossEntropy: target \(target) is outside the classes of logits of shape \(shape)")
        }
        return (rows, classes)
    }
}
