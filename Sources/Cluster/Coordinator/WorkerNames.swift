internal import Coordination

/// Who the workers are, for people: host name and process id, as each says of itself in its hello.
///
/// Kept for a while after a worker has gone, since sentences name those that were lost.
struct WorkerNames {
    private static let limit = 256
    private var labels: [WorkerID: String] = [:]
    private var order: [WorkerID] = []

    mutating func note(_ label: String, of worker: WorkerID) {
        guard labels.updateValue(label, forKey: worker) == nil else { return }
        order.append(worker)
        if order.count > Self.limit { labels[order.removeFirst()] = nil }
    }

    /// `worker host:pid`; of one that never said hello, by the bytes that it is reached with.
    subscript(worker: WorkerID) -> String {
        worker == .coordinator ? "the coordinator" : "worker \(labels[worker] ?? worker.description)"
    }
}
