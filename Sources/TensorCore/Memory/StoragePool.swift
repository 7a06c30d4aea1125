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

    @safe private struct Free: @unchecked Sendable {
        var blocks: [Int: [UnsafeMutablePointer<Float>]] = unsafe [:]
    }
    private let free = Mutex(Free())

    /// Eight classes to a doubling: at most an eighth of a block is unused.
    static func sizeClass(of count: Int) -> Int {
        guard count > 64 else { return 64 }
        let step = 1 << max(6, Int.bitWidth - count.leadingZeroBitCount - 4)
        return (count + step - 1) / step * step
    }

    func take(capacity: Int) -> UnsafeMutablePointer<Float> {
        let kept = unsafe free.withLock { unsafe $0.blocks[capacity]?.popLast() }
        if let kept = unsafe kept { return unsafe kept }
        return unsafe Self.allocate(capacity: capacity)
    }

    func give(_ block: UnsafeMutablePointer<Float>, capacity: Int) {
        free.withLock { unsafe $0.blocks[capacity, default: []].append(block) }
    }

    /// Large blocks start on a huge-page boundary and ask for huge pages: a product walks megabytes, and the address
    /// translation would otherwise cost as much as the loads.
    private static func allocate(capacity: Int) -> UnsafeMutablePointer<Float> {
        let bytes = capacity * MemoryLayout<Float>.stride
        let huge = 2 << 20
        var block: UnsafeMutableRawPointer?
        let status = unsafe posix_memalign(&block, bytes >= huge ? huge : 64, bytes)
        guard status == 0, let block = unsafe block else { fatalError("out of memory: \(bytes) bytes were asked for") }
        #if canImport(Glibc)
            if bytes >= huge { unsafe madvise(block, bytes, MADV_HUGEPAGE) }
        #endif
        return unsafe block.bindMemory(to: Float.self, capacity: capacity)
    }
}
