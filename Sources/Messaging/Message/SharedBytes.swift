internal import CZeroMQ

/// A block of memory whose ranges are sent without copying, to one peer or to many.
///
/// libzmq reads it from its own threads until the last message that lies in it has left, been dropped, or died with its
/// socket; `isIdle` says so. Until then the block stays allocated, whoever lets go of it, and must not be written to. What
/// runs on libzmq's threads is one atomic decrement; the block and its owner are released on a thread of ours.
@safe
package final class SharedBytes: @unchecked Sendable {
    package let byteCount: Int
    private let start: UnsafeMutableRawPointer
    /// Whose memory it is; `nil` for our own.
    private let owner: AnyObject?
    /// How many messages lie in the block.
    let lent: UnsafeMutablePointer<Int64>

    /// A block of zeros, aligned to a cache line.
    package init(byteCount: Int) {
        precondition(byteCount >= 0, "SharedBytes: \(byteCount) bytes; the smallest block has none")
        self.byteCount = byteCount
        unsafe start = .allocate(byteCount: byteCount, alignment: 64)
        unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        owner = nil
        unsafe lent = .allocate(capacity: 1)
        unsafe lent.initialize(to: 0)
    }

    /// Memory of somebody else, who is kept alive with the block. It must not change or move while the block lives.
    @unsafe
    package init(borrowing bytes: UnsafeRawBufferPointer, of owner: AnyObject) {
        byteCount = bytes.count
        // Never written to: `withMutableBytes` refuses a borrowed block. An empty buffer has no address of its own.
        unsafe start =
            bytes.baseAddress.map { unsafe UnsafeMutableRawPointer(mutating: $0) } ?? UnsafeMutableRawPointer(
                bitPattern: 64)!
        self.owner = owner
        unsafe lent = .allocate(capacity: 1)
        unsafe lent.initialize(to: 0)
    }

    deinit {
        precondition(isIdle, "SharedBytes: freed while libzmq reads it")
        unsafe lent.deallocate()
        if owner == nil { unsafe start.deallocate() }
    }

    /// Nothing that was sent from here is still on its way; the block may be written to again.
    package var isIdle: Bool { unsafe zmqshim_lent(lent) == 0 }

    func unsafeBytes(in range: Range<Int>) -> UnsafeRawBufferPointer {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= byteCount,
            "send: bytes \(range) of a block of \(byteCount)")
        return unsafe UnsafeRawBufferPointer(start: start + range.lowerBound, count: range.count)
    }

    package func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(unsafe RawSpan(_unsafeBytes: unsafeBytes(in: 0..<byteCount)))
    }

    /// Writes to the block, which must be idle.
    package func withMutableBytes<Result, Failure: Error>(
        _ body: (inout MutableRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        checkWritable()
        var span = unsafe MutableRawSpan(_unsafeStart: start, byteCount: byteCount)
        return try body(&span)
    }

    /// Copies `source` to `byteOffset`, bits as they are; the block must be idle.
    package func write(_ source: Span<Float>, at byteOffset: Int = 0) {
        checkWritable()
        let count = source.count * MemoryLayout<Float>.stride
        precondition(
            byteOffset >= 0 && count <= byteCount - byteOffset,
            "write: \(count) bytes at \(byteOffset) of a block of \(byteCount)")
        unsafe source.withUnsafeBytes { bytes in
            unsafe UnsafeMutableRawBufferPointer(start: start + byteOffset, count: count).copyMemory(from: bytes)
        }
    }

    private func checkWritable() {
        precondition(owner == nil, "SharedBytes: the memory is borrowed and cannot be written to from here")
        precondition(isIdle, "SharedBytes: written to while messages lie in it")
    }
}
