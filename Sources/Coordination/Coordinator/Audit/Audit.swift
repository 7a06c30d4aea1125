/// The answers for a subtree that is in question: computed more than once on purpose, or answered in two ways.
struct Audit: Sendable {
    /// A worker's whole answer.
    struct Vote: Sendable {
        let worker: WorkerID
        let key: PeerKey?
        let assembly: StreamAssembly
        /// Whether the shell still has its bytes.
        let isStored: Bool
    }

    private(set) var votes: [Vote] = []
    /// Whether somebody has said otherwise: from then on only what the coordinator computes itself is believed. Those who agree may be in
    /// league, or one and the same.
    private(set) var isDisputed = false

    init() {}

    /// - Parameter first: an answer that is in the tree, and may be wrong.
    init(disputing first: FirstAnswer) {
        votes = [first.worker, first.confirmedBy].compactMap { $0 }.map {
            Vote(worker: $0, key: nil, assembly: first.assembly, isStored: false)
        }
        isDisputed = true
    }

    mutating func add(_ vote: Vote) {
        if let first = votes.first, !first.assembly.agrees(with: vote.assembly) { isDisputed = true }
        votes.append(vote)
    }

    mutating func dispute() { isDisputed = true }

    func hasVote(of worker: WorkerID) -> Bool { votes.contains { $0.worker == worker } }

    /// What all votes agree on, where that is enough.
    ///
    /// - Parameter keys: whether workers of two keys have to say it.
    func verdict(ofDifferent keys: Bool) -> StreamAssembly? {
        guard !isDisputed, votes.count >= 2, !keys || Set(votes.map(\.key)).count >= 2 else { return nil }
        return votes[0].assembly
    }
}
