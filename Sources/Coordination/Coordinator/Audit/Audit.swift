/// The answers for a subtree that is in question: computed more than once on purpose, or answered in two ways.
struct Audit: Sendable {
    /// A worker's whole answer.
    struct Vote: Sendable {
        let worker: WorkerID
        let assembly: StreamAssembly
        /// Whether the shell still has its bytes.
        let isStored: Bool
    }

    private(set) var votes: [Vote]

    /// With more answers than that, each of them different, only the coordinator's own is believed.
    static let voteLimit = 3

    init() { votes = [] }

    /// - Parameter first: an answer that is in the tree already.
    init(of first: FirstAnswer) { votes = [Vote(worker: first.worker, assembly: first.assembly, isStored: false)] }

    mutating func add(_ vote: Vote) { votes.append(vote) }

    func hasVote(of worker: WorkerID) -> Bool { votes.contains { $0.worker == worker } }

    /// What two votes agree on.
    var verdict: StreamAssembly? {
        for (index, vote) in votes.enumerated()
        where votes[..<index].contains(where: { $0.assembly.agrees(with: vote.assembly) }) {
            return vote.assembly
        }
        return nil
    }
}
