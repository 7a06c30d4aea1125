/// Bytes that are handed over in pieces, first to last, and once.
package protocol PieceSource: AnyObject {
    var byteCount: Int { get }
    func handOver<Failure: Error>(to sink: (RawSpan) throws(Failure) -> Void) throws(Failure)
}

/// A tensor on its way into a file: a name, a shape, and bytes that stay where they are.
@safe
package struct NamedTensor {
    package let name: String
    package let shape: [Int]
    package let type: TensorType
    private let content: Content

    @safe
    private enum Content {
        case floats([Float])
        case bytes([UInt8])
        case memory(UnsafeRawBufferPointer, owner: AnyObject)
        case pieces(any PieceSource)

        var byteCount: Int {
            switch self {
            case .floats(let values): values.count * 4
            case .bytes(let bytes): bytes.count
            case .memory(let bytes, _): bytes.count
            case .pieces(let source): source.byteCount
            }
        }
    }

    package init(name: String, shape: [Int], values: [Float]) {
        self.init(name: name, shape: shape, type: .float32, content: .floats(values))
    }

    package init(name: String, shape: [Int], type: TensorType, bytes: [UInt8]) {
        self.init(name: name, shape: shape, type: type, content: .bytes(bytes))
    }

    /// Names memory that somebody else holds; nothing is copied.
    ///
    /// - Parameters:
    ///   - values: must not move, nor change while the tensor is written or hashed.
    ///   - owner: keeps `values` allocated for as long as it lives.
    package init(name: String, shape: [Int], values: UnsafeBufferPointer<Float>, owner: AnyObject) {
        unsafe self.init(
            name: name, shape: shape, type: .float32, content: .memory(UnsafeRawBufferPointer(values), owner: owner))
    }

    /// A tensor of floats whose bytes are to be had once.
    package init(name: String, shape: [Int], pieces: any PieceSource) {
        self.init(name: name, shape: shape, type: .float32, content: .pieces(pieces))
    }

    private init(name: String, shape: [Int], type: TensorType, content: Content) {
        precondition(
            type.byteCount(shape: shape) == content.byteCount,
            "NamedTensor: \(name.quoted) of shape \(shape) and type \(type.rawValue) was given \(content.byteCount) bytes"
        )
        self.name = name
        self.shape = shape
        self.type = type
        self.content = content
    }

    package var byteCount: Int { content.byteCount }

    package func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch content {
        case .floats(let values): return try unsafe body(values.span.bytes)
        case .bytes(let bytes): return try unsafe body(bytes.span.bytes)
        case .memory(let bytes, let owner):
            return try withExtendedLifetime(owner) { () throws(Failure) in try unsafe body(bytes.bytes) }
        case .pieces(let source):
            var all: [UInt8] = []
            all.reserveCapacity(source.byteCount)
            source.handOver { piece in unsafe piece.withUnsafeBytes { unsafe all.append(contentsOf: $0) } }
            return try unsafe body(all.span.bytes)
        }
    }

    /// Hands over all bytes, in pieces where that is how they are to be had.
    package func write<Failure: Error>(to sink: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        if case .pieces(let source) = content { try source.handOver(to: sink) } else { try withBytes(sink) }
    }
}
