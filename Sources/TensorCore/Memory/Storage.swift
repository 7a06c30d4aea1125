internal import CKernels

/// A block of floats, aligned to a cache line, that returns to the pool when nobody holds it.
///
/// The values are undefined until written. A block has one writer at a time: an operation fills its result before anyone
/// else sees it, parameters are written between steps by the thread that owns the step.
@safe
package final class Storage: @unchecked Sendable {
    package let count: Int
    /// Floats that the block can hold: `count` rounded up to a size class.
    let capacity: Int
    package let base: UnsafeMutablePointer<Float>
    /// Whose memory it is; nil for the pool's.
    private let owner: AnyObject?
    private var isRetired = false

    package init(count: Int) {
        require(count >= 0, "Storage: \(count) floats; the smallest block has none")
        self.count = count
        capacity = StoragePool.sizeClass(of: count)
        unsafe base = StoragePool.shared.take(capacity: capacity)
        owner = nil
    }

    /// Memory of somebody else, who is kept alive with the block.
    @unsafe
    package init(viewing base: UnsafeMutablePointer<Float>, count: Int, of owner: AnyObject) {
        self.count = count
        capacity = count
        unsafe self.base = base
        self.owner = owner
    }

    package convenience init(zeros count: Int) {
        self.init(count: count)
        unsafe base.update(repeating: 0, count: count)
    }

    package convenience init(_ values: some Collection<Float>) {
        self.init(count: values.count)
        _ = unsafe UnsafeMutableBufferPointer(start: base, count: count).update(fromContentsOf: values)
    }

    deinit {
        guard owner == nil else { return }
        if isRetired {
            unsafe StoragePool.discard(base)
        } else {
            unsafe StoragePool.shared.give(base, capacity: capacity)
        }
    }

    /// Nobody will ask for a block of this size again: the system gets it back when nobody holds it.
    ///
    /// Called by the block's one writer.
    func retire() { isRetired = true }

    /// Whether it is somebody else's memory.
    package var isView: Bool { owner != nil }

    /// Whether both begin at the same place.
    package func isAt(_ other: Storage) -> Bool { unsafe base == other.base }

    package var floats: UnsafeMutableBufferPointer<Float> {
        unsafe UnsafeMutableBufferPointer(start: base, count: count)
    }
}

extension Storage {
    /// self += other over the first `count` floats.
    package func add(_ other: Storage, count: Int, team: ThreadTeam = .alone) {
        require(
            count <= self.count && count <= other.count,
            "add: \(count) floats of blocks of \(self.count) and \(other.count)")
        team.run(over: count) { range in
            unsafe ck_add(range.count, other.base + range.lowerBound, base + range.lowerBound)
        }
    }

    /// Whether none of some of its floats is an infinity or a NaN.
    package func areFinite(_ range: Range<Int>) -> Bool {
        require(
            range.lowerBound >= 0 && range.upperBound <= count, "areFinite: floats \(range) of a block of \(count)")
        return unsafe ck_are_finite(range.count, base + range.lowerBound) == 1
    }

    /// Some of its floats, where they are.
    package func view(_ range: Range<Int>) -> Storage {
        require(
            range.lowerBound >= 0 && range.upperBound <= count, "view: floats \(range) of a block of \(count)")
        return unsafe Storage(viewing: base + range.lowerBound, count: range.count, of: self)
    }

    /// Another block with the same values.
    package func copy() -> Storage {
        let copy = Storage(count: count)
        unsafe copy.base.update(from: base, count: count)
        return copy
    }

    /// Replaces all values.
    package func assign(_ values: [Float]) {
        require(values.count == count, "assign: \(values.count) values for a block of \(count) floats")
        _ = unsafe floats.update(fromContentsOf: values)
    }

    /// Copies a parameter's values to `offset`; only some of them where it says which.
    package func write(_ parameter: Parameter, _ part: Range<Int>? = nil, at offset: Int) {
        let part = part ?? 0..<parameter.count
        require(
            part.lowerBound >= 0 && part.upperBound <= parameter.count && offset >= 0 && offset <= count - part.count,
            "write: floats \(part) of a parameter of shape \(parameter.shape) at \(offset) of a block of \(count) floats"
        )
        unsafe (base + offset).update(from: parameter.storage.base + part.lowerBound, count: part.count)
    }
}

extension Parameter {
    /// Takes its values from `offset` of a block.
    package func read(_ block: Storage, at offset: Int) {
        require(
            offset >= 0 && offset + count <= block.count,
            "read: a parameter of shape \(shape) at \(offset) of a block of \(block.count) floats")
        unsafe update { values in unsafe values.baseAddress!.update(from: block.base + offset, count: count) }
    }
}

extension RawSpan {
    /// Whether none of the floats that the bytes are is an infinity or a NaN; what is left of a last one does not count.
    package var areFiniteFloats: Bool {
        unsafe withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return true }
            return unsafe ck_are_finite(bytes.count / MemoryLayout<Float>.stride, base) == 1
        }
    }
}
