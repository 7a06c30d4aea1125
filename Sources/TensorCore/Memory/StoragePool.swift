internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Blocks that were used and are free again, by size class.
///
/// Every step asks for the same sizes, so that after the first one nothing is allocated and no page is touched for the first time.
final class StoragePool: Sendable {
    static let shared = StoragePool()

    /// By class, the block that was given last; the beginning of each says which was given before it.
    @safe private struct Free: @unchecked Sendable {
        let last: UnsafeMutablePointer<UnsafeMutableRawPointer?>

        init() {
            unsafe last = .allocate(capacity: StoragePool.classCount)
            unsafe last.initialize(repeating: nil, count: StoragePool.classCount)
        }
    }
    private let free = Mutex(Free())

    /// Eight classes to a doubling: at most an eighth of a block is unused.
    static func sizeClass(of count: Int) -> Int {
        guard count > 64 else { return 64 }
        let step = 1 << max(6, Int.bitWidth - count.leadingZeroBitCount - 4)
        return (count + step - 1) / step * step
    }

    private static let classCount = 8 * Int.bitWidth

    /// The number of a size class: where its highest bit is, and the three below.
    private static func number(of capacity: Int) -> Int {
        let exponent = Int.bitWidth - 1 - capacity.leadingZeroBitCount
        return 8 * exponent + (capacity >> (exponent - 3)) & 7
    }

    /// - Parameter capacity: a size class.
    func take(capacity: Int) -> UnsafeMutablePointer<Float> {
        let number = Self.number(of: capacity)
        let kept = unsafe free.withLock { free -> UnsafeMutableRawPointer? in
            guard let block = unsafe free.last[number] else { return nil }
            unsafe free.last[number] = block.load(as: UnsafeMutableRawPointer?.self)
            return unsafe block
        }
        if let kept = unsafe kept { return unsafe kept.bindMemory(to: Float.self, capacity: capacity) }
        return unsafe Self.allocate(capacity: capacity)
    }

    func give(_ block: UnsafeMutablePointer<Float>, capacity: Int) {
        let number = Self.number(of: capacity)
        let block = UnsafeMutableRawPointer(block)
        free.withLock { free in
            unsafe block.storeBytes(of: free.last[number], as: UnsafeMutableRawPointer?.self)
            unsafe free.last[number] = block
        }
    }

    /// Gives a block back to the system.
    static func discard(_ block: UnsafeMutablePointer<Float>) { unsafe release(block) }

    /// Large blocks start on a huge-page boundary and ask for huge pages: a product walks megabytes, and the address
    /// translation would otherwise cost as much as the loads.
    private static func allocate(capacity: Int) -> UnsafeMutablePointer<Float> {
        let bytes = capacity * MemoryLayout<Float>.stride
        let huge = 2 << 20
        var block: UnsafeMutableRawPointer?
        let status = unsafe posix_memalign(&block, bytes >= huge ? huge : 64, bytes)
        guard status == 0, let block = unsafe block else { outOfMemory(bytes) }
        #if canImport(Glibc)
            if bytes >= huge { unsafe madvise(block, bytes, MADV_HUGEPAGE) }
        #endif
        return unsafe block.bindMemory(to: Float.self, capacity: capacity)
    }
}

/// Ends the process with one line: nothing can be computed without the memory, and a trace of the stack tells nobody more.
private func outOfMemory(_ bytes: Int) -> Never {
    let line = "out of memory: \(bytes) bytes were asked for and not to be had\n"
    _ = unsafe line.withCString { unsafe write(2, $0, strlen($0)) }
    _exit(1)
}

// Beyond the pool, in which `free` is something else.
private func release(_ block: UnsafeMutableRawPointer) { unsafe free(block) }
