package import Coordination
internal import Synchronization
internal import TensorCore
package import Training

/// The memory that a coordinator shares with the workers that it started itself.
///
/// Parameters lie in one mapping that workers only read: two places that are written in turn, so that a worker which is one step behind
/// still reads what it was told of. One that is two steps behind may read a mixture; its answer is for a step that is over. Every worker
/// writes its answers into a mapping of its own.
package final class SharedMemory: Sendable {
    private let parameters: SharedMapping
    /// The forms that products read, behind a page that says of which step. Written in place, and withdrawn before: whoever still reads
    /// those of the step before finds out, and its answer is not wanted any more.
    private let packed: SharedMapping
    private let parameterCount: Int
    private let packedCount: Int
    private let answerBytes: Int
    private let workers = Mutex<[WorkerID: SharedMapping]>([:])

    /// Turns it off where it is set to `off`: everything then travels through sockets.
    package static let variable = "LOCKSTEP_SHARED_MEMORY"

    /// - Parameters:
    ///   - parameterCount: P.
    ///   - packedCount: floats of the parameters' packed forms.
    ///   - answerLimit: floats of the longest answer.
    package init(parameterCount: Int, packedCount: Int, answerLimit: Int) throws(SharedMapping.Failure) {
        self.parameterCount = parameterCount
        self.packedCount = packedCount
        packed = try SharedMapping(byteCount: SharedMapping.alignment + 4 * packedCount)
        let (bytes, tooLong) = answerLimit.multipliedReportingOverflow(by: 4 * Self.answersKept)
        answerBytes = SharedMapping.roundedUp(tooLong ? Int.max / 2 : bytes) + AnswerBlocks.firstPlace
        parameters = try SharedMapping(byteCount: 2 * Self.slotBytes(parameterCount))
    }

    /// The longest answers that there is room for in a step; what finds no room travels through the socket.
    private static let answersKept = 4

    private static func slotBytes(_ count: Int) -> Int { SharedMapping.roundedUp(max(4 * count, 1)) }

    /// Room for a worker that is about to be started.
    ///
    /// - Returns: what the worker is told, for `WorkerMemory`.
    package func admit(_ worker: WorkerID) throws(SharedMapping.Failure) -> String {
        let answers = try SharedMapping(byteCount: answerBytes)
        workers.withLock { $0[worker] = answers }
        return [parameters, packed, answers].map(\.path).joined(separator: WorkerMemory.separator)
    }

    package func forget(_ worker: WorkerID) { workers.withLock { $0[worker] = nil } }

    /// Where a worker's answers lie, once it has shown that it can write there.
    package func answers(of worker: WorkerID) -> SharedMapping? {
        guard let mapping = workers.withLock({ $0[worker] }), WorkerMemory.isOpened(mapping, by: worker) else {
            return nil
        }
        return mapping
    }

    /// The place for the parameters of a step, and where it lies.
    package func parameterPlace(of step: UInt64) -> (block: ParameterPlace, place: Int) {
        let place = Int(step % 2) * Self.slotBytes(parameterCount)
        return (
            ParameterPlace(
                values: parameters.block(at: place, count: parameterCount),
                packed: packed.block(at: SharedMapping.alignment, count: packedCount)),
            place
        )
    }

    /// Says that the packed forms are those of a step.
    package func sign(_ step: UInt64) {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        packed.block(at: 0, count: 2).assign(WorkerMemory.words(step + 1))
    }

    /// Says that the packed forms are of no step: they are about to be written.
    package func withdraw() {
        packed.block(at: 0, count: 2).assign(WorkerMemory.words(0))
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }
}
