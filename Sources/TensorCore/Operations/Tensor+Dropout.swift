internal import CKernels
internal import Randomness

/// Names every dropout mask of a training: the mask of an element depends on (seed, step, row of the global batch, time, layer)
/// and on nothing else, so that any worker draws the same.
public struct DropoutStream: Sendable {
    private let philox: Philox
    private let step: UInt64
    private let firstRow: Int

    /// - Parameter firstRow: where the batch at hand begins in the global batch.
    public init(seed: UInt64, step: UInt64, firstRow: Int = 0) {
        philox = Philox(seed: seed, purpose: .dropout)
        self.step = step
        self.firstRow = firstRow
    }

    /// 0 with probability p, else 1 / (1 − p), for each element of `[T, B, H]`.
    func mask(shape: [Int], probability: Float, layer: Int) -> Tensor {
        require(shape.count == 3, "dropout: shape \(shape) is not [T, B, H]")
        require(shape[0] < 1 << 24 && layer < 256, "dropout: \(shape[0]) steps in layer \(layer); at most 2^24 steps and 256 layers are told apart")
        let (steps, batch, width) = (shape[0], shape[1], shape[2])
        let mask = Tensor(shape: shape, storage: Storage(count: steps * batch * width))
        let threshold = UInt32((probability * Float(1 << 24)).rounded())
        let key: [UInt32] = [philox.key.0, philox.key.1]
        for time in 0..<steps {
            for row in 0..<batch {
                unsafe ck_dropout_mask(
                    width, threshold, 1 / (1 - probability), UInt32(truncatingIfNeeded: step),
                    UInt32(layer << 24 | time), UInt32(firstRow + row), key, mask.base + (time * batch + row) * width)
            }
        }
        return mask
    }
}

extension Tensor {
    /// Each element of `[T, B, H]` zeroed with probability p, the others scaled by 1 / (1 − p).
    package func dropout(probability: Float, stream: DropoutStream, layer: Int) -> Tensor {
        require(probability >= 0 && probability < 1, "dropout: probability \(probability) is not in 0..<1")
        guard probability > 0 else { return self }
        return self * stream.mask(shape: shape, probability: probability, layer: layer)
    }
}
