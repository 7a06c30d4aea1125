package import Coordination
internal import Synchronization
package import TensorCore

/// A local worker's end of `SharedMemory`.
package final class WorkerMemory {
    static let separator = ","

    /// Read only.
    package let parameters: SharedMapping
    private let packed: SharedMapping
    package let answers: AnswerBlocks

    /// Opens both mappings and leaves a sign that they are open.
    ///
    /// - Parameter places: what `SharedMemory.admit` said.
    package init(_ places: String, worker: WorkerID) throws {
        let paths = places.split(separator: Self.separator).map(String.init)
        guard paths.count == 3, paths.allSatisfy({ $0.hasPrefix("/proc/") }) else {
            throw ClusterError(
                exitCode: 2, "shared memory '\(places)': expected three places below /proc, as the launcher gives them")
        }
        parameters = try SharedMapping(opening: paths[0], isWritten: false)
        packed = try SharedMapping(opening: paths[1], isWritten: false)
        let mapping = try SharedMapping(opening: paths[2], isWritten: true)
        guard mapping.byteCount > AnswerBlocks.firstPlace else {
            throw ClusterError("shared memory '\(paths[2])': \(mapping.byteCount) bytes; expected more")
        }
        answers = AnswerBlocks(mapping)
        mapping.block(at: 0, count: Self.signCount).assign(Self.sign(of: worker))
    }

    private static let signCount = 2

    /// A number made from the worker's name; not zero, which is what the memory holds at first.
    private static func sign(of worker: WorkerID) -> [Float] {
        words(unsafe XXH64.hash(worker.bytes.span.bytes) | 1)
    }

    /// A number as it lies in memory.
    static func words(_ number: UInt64) -> [Float] {
        [Float(bitPattern: UInt32(truncatingIfNeeded: number)), Float(bitPattern: UInt32(number >> 32))]
    }

    /// The packed forms of a step's parameters; nil when those of another step lie there, or forms of another size.
    package func packed(of step: UInt64, count: Int) -> Storage? {
        guard packed.byteCount == SharedMapping.alignment + 4 * count, isPacked(step) else { return nil }
        return packed.block(at: SharedMapping.alignment, count: count)
    }

    /// Whether the packed forms are those of a step, and what was read of them before is therefore right.
    package func isPacked(_ step: UInt64) -> Bool {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        let sign = unsafe Array(packed.block(at: 0, count: 2).floats)
        return zip(sign, Self.words(step + 1)).allSatisfy { $0.bitPattern == $1.bitPattern }
    }

    static func isOpened(_ mapping: SharedMapping, by worker: WorkerID) -> Bool {
        let found = unsafe Array(mapping.block(at: 0, count: signCount).floats)
        return zip(found, sign(of: worker)).allSatisfy { $0.bitPattern == $1.bitPattern }
    }
}

/// Where a worker puts its answers: one behind another within a step.
///
/// The coordinator adds answers where they lie, and is done with those of a step when the next one begins. So a place is used again only in
/// a later step, not even after the worker has forgotten what it computed.
package final class AnswerBlocks {
    /// Behind the page with the worker's sign.
    static let firstPlace = SharedMapping.alignment

    private let mapping: SharedMapping
    private var step: UInt64 = 0
    private var next = firstPlace

    init(_ mapping: SharedMapping) { self.mapping = mapping }

    package func begin(_ step: UInt64) {
        guard step > self.step else { return }
        self.step = step
        next = Self.firstPlace
    }

    /// Where a block lies that is, or begins, one that was taken; nil for any other.
    package func place(of block: Storage) -> Int? { mapping.place(of: block) }

    /// A place for an answer of the step at hand; nil when there is no room left.
    package func take(count: Int) -> (block: Storage, place: Int)? {
        guard mapping.holds(next, 4 * count) else { return nil }
        let place = next
        next += SharedMapping.roundedUp(4 * count)
        return (mapping.block(at: place, count: count), place)
    }
}
