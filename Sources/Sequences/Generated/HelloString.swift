/// The smallest example of all: `hello` in, `ohlol` out, the same one sequence in every step.
package struct HelloString: SequenceSource {
    package init() {}

    package var name: String { GeneratedSet.hello.rawValue }
    package var identity: [UInt8] { Array("hello/1".utf8) }
    package let vocabulary = Vocabulary(symbols: "ehlo")
    package var sequenceLength: Int { 5 }
    package var batchSize: Int { 1 }
    package var carriesState: Bool { false }
    package var stepsPerEpoch: Int? { 1 }

    package func batch(step: UInt64) -> TokenBatch {
        TokenBatch(steps: 5, rows: 1, inputs: [1, 0, 2, 2, 3], targets: [3, 1, 2, 3, 2])
    }

    /// The same sequence: there is no other.
    package var validation: TokenBatches {
        TokenBatches(count: 1) { _ in batch(step: 0) }
    }
}
