public import TensorCore

/// Sequences of several lengths without padding, as PyTorch's `PackedSequence`: the rows of the first time step of all sequences,
/// then those of the second step of all that have one, and so on. The longest sequence comes first; which one it was is kept.
///
/// All three recurrent layers take and return it, in both directions, at the cost of its real tokens.
public struct PackedSequence {
    /// `[N, …]`: N is the sum of all lengths.
    public let data: Tensor
    /// How many sequences are longer than each time step. `[T]`
    public let batchSizes: [Int]
    /// Which of the given sequences is the longest, the second longest, …; equal ones stay in order. `[B]`
    public let sortedIndices: [Int]
    let layout: StepLayout

    init(data: Tensor, layout: StepLayout, sortedIndices: [Int]) {
        self.data = data
        self.layout = layout
        self.sortedIndices = sortedIndices
        batchSizes = layout.counts
    }

    /// Where each of the given sequences is in the sorted order. `[B]`
    public var unsortedIndices: [Int] {
        var places = Array(repeating: 0, count: sortedIndices.count)
        for (place, index) in sortedIndices.enumerated() { places[index] = place }
        return places
    }

    /// The lengths of the sequences, in the order in which they were given. `[B]`
    public var lengths: [Int] {
        let last = layout.lastSteps
        return unsortedIndices.map { last[$0] + 1 }
    }

    /// The same sequences with other features: whatever works row by row, such as a linear layer, or dropout.
    public func map(_ transform: (Tensor) -> Tensor) -> PackedSequence {
        let changed = transform(data)
        require(
            changed.shape.first == layout.rows,
            "PackedSequence.map: data \(data.shape) became \(changed.shape); expected [\(layout.rows), …]")
        return PackedSequence(data: changed, layout: layout, sortedIndices: sortedIndices)
    }
}

/// Packs a padded batch, as PyTorch's `pack_padded_sequence` with `enforce_sorted=False`.
///
/// - Parameters:
///   - input: `[T, B, …]`, or `[B, T, …]` with `batchFirst`.
///   - lengths: of each sequence, in any order, each from 1 to T.
public func packPaddedSequence(_ input: Tensor, lengths: [Int], batchFirst: Bool = false) -> PackedSequence {
    require(input.shape.count >= 2, "packPaddedSequence: input \(input.shape) has no axes for time and batch")
    let (steps, batch) = batchFirst ? (input.shape[1], input.shape[0]) : (input.shape[0], input.shape[1])
    require(batch > 0, "packPaddedSequence: input \(input.shape) holds no sequences; expected one or more")
    require(
        lengths.count == batch,
        "packPaddedSequence: \(lengths.count) lengths for input \(input.shape), which holds \(batch) sequences")
    for (sequence, length) in lengths.enumerated() {
        require(
            length >= 1 && length <= steps,
            "packPaddedSequence: sequence \(sequence) has \(length) steps; input \(input.shape) holds 1 to \(steps)")
    }
    let (layout, sorted) = sortedLayout(lengths)
    let sources = layout.counts.enumerated().flatMap { step, count in
        sorted.prefix(count).map { sequence -> Int? in batchFirst ? sequence * steps + step : step * batch + sequence }
    }
    let features = Array(input.shape.dropFirst(2))
    let data = input.gatheringRows(sources, rowShape: features, shape: [layout.rows] + features)
    return PackedSequence(data: data, layout: layout, sortedIndices: sorted)
}

/// Pads a packed batch again, as PyTorch's `pad_packed_sequence`.
///
/// - Parameters:
///   - paddingValue: what stands behind the end of a sequence.
///   - totalLength: T of the result; at least, and by default, the longest length.
/// - Returns: `[T, B, …]`, or `[B, T, …]` with `batchFirst`, in the order in which the sequences were given; and their lengths.
public func padPackedSequence(
    _ packed: PackedSequence, batchFirst: Bool = false, paddingValue: Float = 0, totalLength: Int? = nil
) -> (output: Tensor, lengths: [Int]) {
    let (layout, lengths) = (packed.layout, packed.lengths)
    let steps = totalLength ?? layout.steps
    require(
        steps >= layout.steps,
        "padPackedSequence: total length \(steps) is less than the \(layout.steps) steps of the longest sequence")
    let (batch, places) = (layout.batch, packed.unsortedIndices)
    func source(_ sequence: Int, _ step: Int) -> Int? {
        step < lengths[sequence] ? layout.offsets[step] + places[sequence] : nil
    }
    let sources =
        batchFirst
        ? (0..<batch).flatMap { sequence in (0..<steps).map { source(sequence, $0) } }
        : (0..<steps).flatMap { step in (0..<batch).map { source($0, step) } }
    let features = Array(packed.data.shape.dropFirst())
    let output = packed.data.gatheringRows(
        sources, rowShape: features, fill: paddingValue,
        shape: (batchFirst ? [batch, steps] : [steps, batch]) + features)
    return (output, lengths)
}

/// Packs separate sequences, as PyTorch's `pack_sequence` with `enforce_sorted=False`.
///
/// - Parameter sequences: `[T, …]` each; T may differ, all other axes agree.
public func packSequence(_ sequences: [Tensor]) -> PackedSequence {
    require(!sequences.isEmpty, "packSequence: no sequences; expected at least one")
    for (index, sequence) in sequences.enumerated() {
        require(
            !sequence.shape.isEmpty && sequence.shape[0] > 0,
            "packSequence: sequence \(index) has shape \(sequence.shape); expected one step or more")
    }
    return packPaddedSequence(padSequence(sequences), lengths: sequences.map { $0.shape[0] })
}

/// Puts separate sequences side by side, as PyTorch's `pad_sequence`.
///
/// - Parameter sequences: `[T, …]` each; T may differ, all other axes agree.
/// - Returns: `[T, B, …]`, or `[B, T, …]` with `batchFirst`; T is the longest.
public func padSequence(_ sequences: [Tensor], batchFirst: Bool = false, paddingValue: Float = 0) -> Tensor {
    require(!sequences.isEmpty, "padSequence: no sequences; expected at least one")
    let features = Array(sequences[0].shape.dropFirst())
    for sequence in sequences {
        require(
            !sequence.shape.isEmpty && Array(sequence.shape.dropFirst()) == features,
            "padSequence: sequences of shapes \(sequences[0].shape) and \(sequence.shape) differ behind the first axis")
    }
    let steps = sequences.map { $0.shape[0] }.max() ?? 0
    let padded = sequences.map { sequence in
        let own = sequence.shape[0]
        return sequence.gatheringRows(
            (0..<steps).map { $0 < own ? $0 : nil }, rowShape: features, fill: paddingValue, shape: [steps] + features)
    }
    let stacked = Tensor.stack(padded)
    return batchFirst ? stacked : stacked.transposed(0, 1)
}

/// The sequences of a packed batch, each with its own length, as PyTorch's `unpack_sequence`.
public func unpackSequence(_ packed: PackedSequence) -> [Tensor] {
    let (padded, lengths) = padPackedSequence(packed, batchFirst: true)
    let features = Array(padded.shape.dropFirst(2))
    return lengths.enumerated().map { sequence, length in
        padded[sequence].gatheringRows(Array(0..<length), rowShape: features, shape: [length] + features)
    }
}

/// The longest sequence first, equal ones in order, and how their rows fall into time steps.
private func sortedLayout(_ lengths: [Int]) -> (layout: StepLayout, sorted: [Int]) {
    let sorted = lengths.indices.sorted { (lengths[$1], $0) < (lengths[$0], $1) }
    var counts = Array(repeating: 0, count: lengths.max() ?? 0)
    for length in lengths { for step in 0..<length { counts[step] += 1 } }
    return (StepLayout(counts: counts), sorted)
}
