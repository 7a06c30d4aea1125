/// An n-dimensional array of single-precision numbers, row-major, that knows how it was computed.
///
/// A tensor's values never change once an operation has made it. When one of the inputs wants a gradient, the result remembers
/// the operation, and `backward()` on a scalar walks that record in reverse.
///
/// A tensor belongs to one thread.
public struct Tensor {
    /// The size along each axis; empty for a scalar.
    public let shape: [Int]
    package let storage: Storage
    /// Where the first element lies in `storage`.
    package let offset: Int
    /// How it was computed; nil when no gradient flows through it.
    package let origin: Origin?

    /// One result of a recorded operation.
    package struct Origin {
        package let node: Node
        package let output: Int
    }

    package init(shape: [Int], storage: Storage, offset: Int = 0, origin: Origin? = nil) {
        let count = shape.reduce(1, *)
        require(
            offset >= 0 && offset + count <= storage.count,
            "Tensor: shape \(shape) at \(offset) does not fit in a block of \(storage.count) floats")
        self.shape = shape
        self.storage = storage
        self.offset = offset
        self.origin = origin
    }

    /// A tensor of the given values in row-major order.
    public init(_ values: [Float], shape: [Int]) {
        require(
            values.count == shape.reduce(1, *) && shape.allSatisfy { $0 >= 0 },
            "Tensor: \(values.count) values do not fill the shape \(shape)")
        self.init(shape: shape, storage: Storage(values))
    }

    /// A vector.
    public init(_ values: [Float]) { self.init(values, shape: [values.count]) }

    /// A scalar.
    public init(_ value: Float) { self.init([value], shape: []) }

    /// A tensor of zeros.
    public static func zeros(_ shape: [Int]) -> Tensor {
        Tensor(shape: shape, storage: Storage(zeros: shape.reduce(1, *)))
    }

    /// The number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// The elements in row-major order.
    public var values: [Float] { unsafe Array(UnsafeBufferPointer(start: base, count: count)) }

    /// The value of a tensor with one element.
    public var item: Float {
        require(count == 1, "item: a tensor of shape \(shape) has \(count) elements, not one")
        return unsafe base[0]
    }

    /// The same values, with no record of how they were computed.
    public var detached: Tensor { Tensor(shape: shape, storage: storage, offset: offset) }

    /// The same values and record under another shape.
    package func viewed(as shape: [Int]) -> Tensor {
        Tensor(shape: shape, storage: storage, offset: offset, origin: origin)
    }

    package var base: UnsafeMutablePointer<Float> { unsafe storage.base + offset }

    /// Wants a gradient to flow through it.
    public var requiresGradient: Bool { origin != nil }
}

extension Tensor: CustomStringConvertible {
    public var description: String {
        let shown = values.prefix(8).map { "\($0)" }.joined(separator: ", ")
        return "Tensor(\(shape), [\(shown)\(count > 8 ? ", …" : "")])"
    }
}
