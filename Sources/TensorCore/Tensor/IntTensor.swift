/// An n-dimensional array of whole numbers, row-major: tokens, class targets, indices. No gradient flows through it.
public struct IntTensor: Sendable, Hashable {
    /// The size along each axis; empty for a single number.
    public let shape: [Int]
    /// The elements in row-major order.
    public let values: [Int32]

    /// An array of the given values in row-major order.
    public init(_ values: [Int32], shape: [Int]) {
        require(
            values.count == shape.reduce(1, *) && shape.allSatisfy { $0 >= 0 },
            "IntTensor: \(values.count) values do not fill the shape \(shape)")
        self.values = values
        self.shape = shape
    }

    /// A vector.
    public init(_ values: [Int32]) { self.init(values, shape: [values.count]) }

    /// The number of elements.
    public var count: Int { values.count }

    /// The same elements under another shape; one size may be −1 and follows from the others.
    public func reshaped(_ shape: [Int]) -> IntTensor {
        let known = shape.filter { $0 != -1 }.reduce(1, *)
        let wanted = shape.map { $0 == -1 && known > 0 ? count / known : $0 }
        require(
            shape.count { $0 == -1 } <= 1 && wanted.allSatisfy { $0 >= 0 } && wanted.reduce(1, *) == count,
            "reshaped: shape \(self.shape) does not hold the elements of \(shape)")
        return IntTensor(values, shape: wanted)
    }
}
