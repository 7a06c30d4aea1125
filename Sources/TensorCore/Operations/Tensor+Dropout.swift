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
        require(
            firstRow >= 0 && firstRow <= Int(UInt32.max),
            "DropoutStream: first row \(firstRow); expected 0 to \(UInt32.max)")
        philox = Philox(seed: seed, purpose: .dropout)
        self.step = step
        self.firstRow = firstRow
    }

    /// A stream of its own for the n-th layer that asks during a forward pass.
    package func substream(_ index: UInt32) -> DropoutStream {
        let words = philox.block(index, .max, .max, .max)
        return DropoutStream(seed: UInt64(words.y) << 32 | UInt64(words.x), step: step, firstRow: firstRow)
    }

    /// 0 with probability p, else 1 / (1 − p), for each element of `[N, width]` laid out in time steps.
    ///
    /// - Parameter sequences: which sequence of the batch at hand each row of a step is; nil when row r is sequence r.
    func mask(_ layout: StepLayout, sequences: [Int]?, width: Int, probability: Float, layer: Int) -> Storage {
        require(
            layout.steps < 1 << 24 && layer < 256,
            "dropout: \(layout.steps) steps in layer \(layer); at most 2^24 steps and 256 layers are told apart")
        let mask = Storage(count: layout.rows * width)
        let draw = MaskDraw(philox, step: step, probability: probability)
        for time in 0..<layout.steps {
            for row in 0..<layout.counts[time] {
                unsafe draw.fill(
                    mask.base + (layout.offsets[time] + row) * width, count: width, UInt32(layer << 24 | time),
                    UInt32(firstRow + (sequences?[row] ?? row)))
            }
        }
        return mask
    }

    /// As above for any shape: an element is told by its place in the tensor, and the tensor by the first row of its batch.
    func mask(count: Int, probability: Float) -> Storage {
        let mask = Storage(count: count)
        let draw = MaskDraw(philox, step: step, probability: probability)
        unsafe draw.fill(mask.base, count: count, .max, UInt32(firstRow))
        return mask
    }
}

/// The constants of one dropout's masks.
private struct MaskDraw {
    let key: [UInt32]
    let step: UInt32
    let threshold: UInt32
    let scale: Float

    init(_ philox: Philox, step: UInt64, probability: Float) {
        require(probability >= 0 && probability <= 1, "dropout: probability \(probability) is not in 0...1")
        key = [philox.key.0, philox.key.1]
        self.step = UInt32(truncatingIfNeeded: step)
        threshold = UInt32((probability * Float(1 << 24)).rounded())
        // With p = 1 nothing is kept, and no factor is wanted.
        scale = probability < 1 ? 1 / (1 - probability) : 0
    }

    func fill(_ mask: UnsafeMutablePointer<Float>, count: Int, _ c2: UInt32, _ c3: UInt32) {
        unsafe ck_dropout_mask(count, threshold, scale, step, c2, c3, key, mask)
    }
}

extension Tensor {
    /// Each element of `[T, B, H]`, or of `[N, H]` laid out by `packed`, zeroed with probability p, the others scaled by 1 / (1 − p).
    ///
    /// - Parameter sequences: which sequence each row of a packed step is.
    package func dropout(
        probability: Float, stream: DropoutStream, layer: Int, packed: StepLayout? = nil, sequences: [Int]? = nil
    ) -> Tensor {
        guard probability != 0 else { return self }
        require(packed != nil || shape.count == 3, "dropout: shape \(shape) is not [T, B, H]")
        let layout = packed ?? StepLayout(steps: shape[0], batch: shape[1])
        let width = shape.last ?? 1
        return masked(
            stream.mask(layout, sequences: sequences, width: width, probability: probability, layer: layer))
    }

    /// Each element zeroed with probability p, the others scaled by 1 / (1 − p).
    package func dropout(probability: Float, stream: DropoutStream) -> Tensor {
        probability == 0 ? self : masked(stream.mask(count: count, probability: probability))
    }

    private func masked(_ mask: Storage) -> Tensor { self * Tensor(shape: shape, storage: mask) }
}
