internal import Foundation
internal import Synchronization

/// Something that takes long, on a thread of its own; whoever started it waits and touches nothing that it uses.
final class BackgroundWork: Sendable {
    private struct Unchecked: @unchecked Sendable {
        let body: () throws -> Void
    }

    private let outcome = Mutex<Result<Void, any Error>?>(nil)

    init(_ body: @escaping () throws -> Void) {
        let work = Unchecked(body: body)
        Thread.detachNewThread { [self] in
            let result = Result { try work.body() }
            outcome.withLock { $0 = result }
        }
    }

    var isDone: Bool { outcome.withLock { $0 != nil } }

    /// Throws what the work threw.
    func result() throws { try outcome.withLock { $0 }?.get() }
}
