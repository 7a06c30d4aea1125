/// An axis number with PyTorch's rule for negative ones: −1 is the last.
func resolveAxis(_ axis: Int, of shape: [Int], _ operation: String) -> Int {
    // A scalar answers to axis 0 and −1, as in PyTorch.
    let rank = Swift.max(shape.count, 1)
    require(axis >= -rank && axis < rank, "\(operation): axis \(axis) is not in shape \(shape)")
    return axis < 0 ? axis + rank : axis
}

/// Several axes, none of them twice.
func resolveAxes(_ axes: [Int], of shape: [Int], _ operation: String) -> [Int] {
    let resolved = axes.map { resolveAxis($0, of: shape, operation) }
    require(Set(resolved).count == axes.count, "\(operation): axes \(axes) of shape \(shape) name one axis twice")
    return resolved
}

/// A shape seen from one of its axes: `outer` blocks of `size` rows of `inner` floats.
struct AxisBlocks {
    let outer: Int
    let size: Int
    let inner: Int

    init(_ shape: [Int], axis: Int) {
        outer = shape.prefix(axis).reduce(1, *)
        size = axis < shape.count ? shape[axis] : 1
        inner = shape.dropFirst(axis + 1).reduce(1, *)
    }
}

/// Floats from one index to the next along each axis of a row-major array.
func rowMajorStrides(_ shape: [Int]) -> [Int] {
    var strides = Array(repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    return strides
}

/// Goes over the elements of `shape` in row-major order, one run along the last axis at a time.
///
/// - Parameter body: gets how many elements came before the run, and where it begins under `strides`.
func forEachRun(shape: [Int], strides: [Int], _ body: (_ first: Int, _ place: Int) -> Void) {
    let count = shape.reduce(1, *)
    guard count > 0 else { return }
    guard let run = shape.last else { return body(0, 0) }
    var index = Array(repeating: 0, count: shape.count - 1)
    var place = 0
    for first in stride(from: 0, to: count, by: run) {
        body(first, place)
        for axis in index.indices.reversed() {
            index[axis] += 1
            place += strides[axis]
            if index[axis] < shape[axis] { break }
            place -= index[axis] * strides[axis]
            index[axis] = 0
        }
    }
}
