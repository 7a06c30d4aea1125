internal import CSharedMemory
package import TensorCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Memory that several processes of this machine see: a file without a name, which is gone with the last process that holds it.
///
/// A page takes memory when it is first written. Whoever writes says so by a message; nothing here waits.
@safe
package final class SharedMapping: @unchecked Sendable {
    package let byteCount: Int
    private let base: UnsafeMutableRawPointer
    private let descriptor: Int32

    /// Why there is none.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        fileprivate init(_ operation: String, _ code: Int32) {
            description = unsafe "\(operation): \(String(cString: strerror(code)))"
        }
    }

    /// New memory, all zero.
    package init(byteCount: Int) throws(Failure) {
        descriptor = csm_memory_file()
        guard descriptor >= 0 else { throw Failure("shared memory", errno) }
        self.byteCount = byteCount
        guard ftruncate(descriptor, byteCount) == 0,
            let mapped = unsafe Self.map(descriptor, byteCount, PROT_READ | PROT_WRITE)
        else {
            let code = errno
            close(descriptor)
            throw Failure("shared memory of \(byteCount) bytes", code)
        }
        unsafe base = mapped
    }

    /// The memory that another process holds under `path`.
    ///
    /// - Parameter isWritten: whether this process writes to it; a write to memory that was opened without ends the process.
    package init(opening path: String, isWritten: Bool) throws(Failure) {
        descriptor = unsafe open(path, (isWritten ? O_RDWR : O_RDONLY) | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(path, errno) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_size > 0,
            let mapped = unsafe Self.map(
                descriptor, Int(status.st_size), isWritten ? PROT_READ | PROT_WRITE : PROT_READ)
        else {
            let code = errno
            close(descriptor)
            throw Failure(path, code)
        }
        byteCount = Int(status.st_size)
        unsafe base = mapped
    }

    deinit {
        unsafe munmap(base, byteCount)
        close(descriptor)
    }

    private static func map(_ descriptor: Int32, _ byteCount: Int, _ protection: Int32) -> UnsafeMutableRawPointer? {
        let mapped = unsafe mmap(nil, byteCount, protection, MAP_SHARED, descriptor, 0)
        guard unsafe mapped != MAP_FAILED else { return nil }
        #if os(Linux)
            // As for a process's own large blocks; heard where `transparent_hugepage/shmem_enabled` is `advise`.
            if let mapped = unsafe mapped { unsafe madvise(mapped, byteCount, MADV_HUGEPAGE) }
        #endif
        return unsafe mapped
    }

    /// Where a child of this process finds it.
    package var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

    /// The floats at `byteOffset`, which is on the grid of `SharedMapping.alignment`; they live as long as the block.
    package func block(at byteOffset: Int, count: Int) -> Storage {
        precondition(
            holds(byteOffset, 4 * count) && byteOffset % Self.alignment == 0,
            "SharedMapping.block: \(count) floats at \(byteOffset) of \(byteCount) bytes")
        return unsafe Storage(
            viewing: (base + byteOffset).assumingMemoryBound(to: Float.self), count: count, of: self)
    }

    /// Where a block lies, if it lies in here.
    func place(of block: Storage) -> Int? {
        let place = unsafe UnsafeRawPointer(block.base) - UnsafeRawPointer(base)
        return holds(place, 4 * block.count) ? place : nil
    }

    package func withBytes<Result, Failure: Error>(
        _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(
            holds(range.lowerBound, range.count), "SharedMapping: bytes \(range) of \(byteCount)")
        return try body(
            unsafe RawSpan(_unsafeStart: UnsafeRawPointer(base + range.lowerBound), byteCount: range.count))
    }

    package func holds(_ byteOffset: Int, _ count: Int) -> Bool {
        byteOffset >= 0 && count >= 0 && count <= byteCount && byteOffset <= byteCount - count
    }

    /// Blocks begin on a page.
    package static let alignment = 4096

    package static func roundedUp(_ bytes: Int) -> Int { (bytes + alignment - 1) / alignment * alignment }
}
