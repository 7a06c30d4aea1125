// A model of your own on any number of processes: does a string of bits hold an odd number of ones?
//
//   swift run -c release ParityExample 2          two worker processes; 0 computes in this one
//   swift run -c release ParityExample 0 1 5      one training after another, each with as many
import Lockstep

struct Parity: DistributedTask {
    struct Model: Module {
        let gru = GRU(inputSize: 1, hiddenSize: 16)
        let head = Linear(inFeatures: 16, outFeatures: 2)

        /// Scores of even and odd, `[B, 2]`, from sequences `[T, 1]` of any lengths.
        func callAsFunction(_ sequences: [Tensor]) -> Tensor {
            let (_, last) = gru(packSequence(sequences))
            return head(last[0])
        }
    }

    struct Example: Codable, Sendable {
        let bits: [Float]
        var isOdd: Bool { bits.reduce(0, +).truncatingRemainder(dividingBy: 2) == 1 }
    }

    func makeModel() -> Model { Model() }

    /// 64 strings of 1 to 8 bits, which follow from the step alone.
    func batch(step: Int) -> [Example] {
        var state = UInt64(step) &* 0x9E37_79B9_7F4A_7C15 | 1
        func next(below bound: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % bound)
        }
        return (0..<64).map { _ in Example(bits: (0...next(below: 8)).map { _ in Float(next(below: 2)) }) }
    }

    func loss(_ model: Model, _ examples: [Example]) -> (sum: Tensor, count: Int) {
        let scores = model(examples.map { Tensor($0.bits, shape: [$0.bits.count, 1]) })
        let targets = IntTensor(examples.map { $0.isOdd ? 1 : 0 })
        return (crossEntropy(scores, targets, reduction: .sum), examples.count)
    }
}

let counts = CommandLine.arguments.dropFirst().compactMap { Int($0) }
for workers in counts.isEmpty ? [0] : counts {
    let trainer = DistributedTrainer(Parity(), steps: 600, shards: 8, clipNorm: 1) { Adam($0, learningRate: 0.01) }
    let result = try await trainer.train(workers: workers) { step in
        if step.step % 100 == 0 { print("step \(step.step)  loss \(step.loss)") }
    }
    print("parameters_sha256 \(result.parametersSHA256)")
}
