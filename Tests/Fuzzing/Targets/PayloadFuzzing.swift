internal import Coordination
internal import Sequences
internal import TensorCore
internal import Training

/// What streams of the protocol carry: the first byte says whether the rest is an assignment (even) or an answer (odd).
enum PayloadFuzzing {
    /// The run that the seeds were recorded in.
    private static func makeComputer() -> ShardComputer {
        ShardComputer(
            ModelDescription(cell: .lstm, vocabularySize: 12, embeddingDim: 2, hiddenSize: 2, numLayers: 1, seed: 0))
    }

    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        guard let kind = bytes.first else { return }
        let payload = Array(bytes.dropFirst())
        if kind & 1 == 0 { try assignment(payload) } else { try answer(payload, shards: kind >> 1) }
    }

    private static func assignment(_ payload: [UInt8]) throws(FuzzFinding) {
        guard let work = try? ShardWork(decoding: payload) else { return }
        try FuzzFinding.require(work.encoded() == payload, "\(work) is written in another way")
        let computer = makeComputer()
        guard work.fits(computer.description), work.batch.inputs.count < 1000, work.shards.count < 64 else { return }
        let shards = ShardRange(work.shards)
        let answers = try? computer.answers(to: payload, step: work.step, shards: shards)
        try FuzzFinding.require(
            answers?.map(\.subtree) == shards.subtrees, "\(work) fits the model and is not answered for its shards")
    }

    private static func answer(_ payload: [UInt8], shards: UInt8) throws(FuzzFinding) {
        guard payload.count % 4 == 0, let subtree = Subtree(first: 0, count: 1 << Int(shards & 7)) else { return }
        let words = stride(from: 0, to: payload.count, by: 4).map { start in
            payload[start..<start + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        let block = Storage(words.map { Float(bitPattern: $0) })
        let layout = makeComputer().layout
        guard let answer = try? SubtreeAnswer(travelled: block, subtree: subtree, layout: layout, stateSize: 0) else {
            return
        }
        try FuzzFinding.require(
            unsafe answer.travelling.floats.map(\.bitPattern) == words,
            "an answer of \(words.count) words travels as another")
    }
}
