/// The hidden or cell states of one layer in one direction: what each time step starts from, and what it ends with.
///
/// In a padded batch both are the same array shifted by a step, the initial state at the end where time begins. In a packed batch
/// what a step starts from is copied together: its sequences' states of the neighbouring step, or their initial ones.
struct StateTrack {
    let layout: StepLayout
    let width: Int
    let isReversed: Bool
    /// States after each step, `[N, width]` from `afterOffset`.
    private let after: Storage
    private let afterOffset: Int
    /// States before each step, likewise.
    private let before: Storage
    private let beforeOffset: Int
    /// Initial states of a packed batch, `[B, width]`.
    private let start: Storage?

    /// - Parameter initial: `[B, width]`; nil is zero.
    init(_ layout: StepLayout, width: Int, isReversed: Bool, initial: Tensor?) {
        self.layout = layout
        self.width = width
        self.isReversed = isReversed
        let block = layout.batch * width
        func fill(_ destination: UnsafeMutablePointer<Float>) {
            if let initial {
                unsafe destination.update(from: initial.base, count: block)
            } else {
                unsafe destination.update(repeating: 0, count: block)
            }
        }
        if layout.isUniform {
            let storage = Storage(count: (layout.steps + 1) * block)
            unsafe fill(storage.base + (isReversed ? layout.steps * block : 0))
            (after, before) = (storage, storage)
            (afterOffset, beforeOffset) = isReversed ? (0, block) : (block, 0)
            start = nil
        } else {
            let initialStates = Storage(count: block)
            unsafe fill(initialStates.base)
            start = initialStates
            (after, before) = (Storage(count: layout.rows * width), Storage(count: layout.rows * width))
            (afterOffset, beforeOffset) = (0, 0)
        }
    }

    func after(_ step: Int) -> UnsafeMutablePointer<Float> {
        unsafe after.base + afterOffset + layout.offsets[step] * width
    }
    func before(_ step: Int) -> UnsafeMutablePointer<Float> {
        unsafe before.base + beforeOffset + layout.offsets[step] * width
    }
    /// What all steps start from, `[N, width]`.
    var allBefore: UnsafeMutablePointer<Float> { unsafe before(0) }

    /// Brings what `step` starts from into place; the steps before it, in the order of computation, are done.
    func enter(_ step: Int) {
        guard let start else { return }
        let neighbour = isReversed ? step + 1 : step - 1
        let count = layout.counts[step]
        let carried = layout.counts.indices.contains(neighbour) ? min(count, layout.counts[neighbour]) : 0
        let destination = unsafe before(step)
        if carried > 0 { unsafe destination.update(from: after(neighbour), count: carried * width) }
        unsafe (destination + carried * width).update(
            from: start.base + carried * width, count: (count - carried) * width)
    }

    /// States after each step: `[T, B, width]`, or `[N, width]` of a packed batch.
    func output(shape: [Int]) -> Tensor { Tensor(shape: shape, storage: after, offset: afterOffset) }

    /// Each sequence's state after its last step, `[B, width]`.
    var last: Tensor {
        let shape = [layout.batch, width]
        if isReversed { return Tensor(shape: shape, storage: after, offset: afterOffset) }
        if layout.isUniform {
            return Tensor(shape: shape, storage: after, offset: afterOffset + layout.offsets[layout.steps - 1] * width)
        }
        let gathered = Storage(count: layout.batch * width)
        for (row, step) in layout.lastSteps.enumerated() {
            unsafe (gathered.base + row * width).update(from: after(step) + row * width, count: width)
        }
        return Tensor(shape: shape, storage: gathered)
    }
}
