internal import Randomness
internal import Sequences

/// Tokens without any structure, for measuring.
struct RandomTokens: SequenceSource {
    let vocabulary: Vocabulary
    let sequenceLength: Int
    let batchSize: Int
    private let pool: [TokenBatch]

    init(size: Workload.Size, batchSize: Int) {
        // As many distinct symbols as the workload has classes; which ones they are plays no part.
        let first: UInt32 = 0x4E00
        let scalars = (0..<UInt32(size.vocabulary)).compactMap { Unicode.Scalar(first + $0) }
        vocabulary = Vocabulary(symbols: String(String.UnicodeScalarView(scalars)))
        sequenceLength = size.length
        self.batchSize = batchSize
        let philox = Philox(seed: 0, purpose: .generated)
        let count = size.length * batchSize
        func tokens(_ index: UInt32) -> [Int32] {
            (0..<UInt32(count)).map { position in
                Int32(UInt64(philox.block(position, index, 0, 0).x) * UInt64(size.vocabulary) >> 32)
            }
        }
        pool = (0..<8).map { index in
            TokenBatch(
                steps: size.length, rows: batchSize, inputs: tokens(2 * index), targets: tokens(2 * index + 1))
        }
    }

    var name: String { "random tokens" }
    var identity: [UInt8] { Array("random tokens/1".utf8) }
    var carriesState: Bool { false }
    var stepsPerEpoch: Int? { nil }
    func batch(step: UInt64) -> TokenBatch { pool[Int(step % UInt64(pool.count))] }
    var validation: TokenBatches { TokenBatches(count: 0) { _ in fatalError("random tokens hold nothing out") } }
}
