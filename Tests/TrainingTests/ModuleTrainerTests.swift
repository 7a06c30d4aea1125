import Coordination
import Dispatch
import Foundation
import Layers
import Optimizers
import Synchronization
import TensorCore
import Testing
import Training

@Suite struct `A task of one's own` {
    /// A step computed by workers: each makes the model itself, is sent parameters and an assignment, and sends its
    /// answers back.
    private func work<Task: DistributedTask>(
        _ trainer: ModuleTrainer<Task>, _ task: Task, ranges: [Range<Int>]
    ) throws -> StepReport {
        trainer.beginStep()
        let block = trainer.exportParameters()
        var answers: [SubtreeAnswer] = []
        for range in ranges.map({ ShardRange($0) }) {
            let worker = ModuleComputer(task, seed: 3)
            worker.importParameters(block)
            answers += try worker.answers(to: trainer.assignment(for: range), step: trainer.step, shards: range)
        }
        var random = RunDirectoryTesting.Generator(RunDirectoryTesting.seed)
        for answer in answers.shuffled(using: &random) {
            #expect(answer.travelling.count <= trainer.answerLimit)
            try trainer.add(trainer.answer(travelled: answer.travelling, for: answer.subtree))
        }
        return trainer.finishStep()
    }

    @Test func `gives the same bits from any number of threads and any split among workers`() throws {
        let task = Tagging()
        let (whole, threaded) = (ModuleTrainer(task, shards: 8), ModuleTrainer(task, shards: 8))
        let (piecewise, worked) = (ModuleTrainer(task, shards: 8), ModuleTrainer(task, shards: 8))
        let start = whole.bits
        #expect(start == worked.bits)
        for ranges in [[0..<3, 3..<8], [0..<1, 1..<7, 7..<8], [0..<8], [0..<5, 5..<6, 6..<8]] {
            whole.beginStep()
            whole.compute(whole.wholeStep, threads: 1)
            let report = whole.finishStep()
            threaded.beginStep()
            threaded.compute(threaded.wholeStep, threads: 3)
            #expect(threaded.finishStep().checksums == report.checksums)
            // One thread more for every piece, so that models are made in the middle of a step.
            piecewise.beginStep()
            for (index, range) in ranges.enumerated() { piecewise.compute(ShardRange(range), threads: index + 1) }
            #expect(piecewise.finishStep().checksums == report.checksums)
            let reported = try work(worked, task, ranges: ranges)
            #expect(reported.checksums == report.checksums && reported.loss == report.loss)
            #expect(reported.tokens == 19 && reported.gradientNorm == report.gradientNorm)
            #expect(whole.bits == threaded.bits && whole.bits == piecewise.bits && whole.bits == worked.bits)
        }
        #expect(whole.bits != start)
    }

    @Test func `computes with the parameters of the step in models made for further threads`() {
        let task = Tagging()
        let (whole, growing) = (ModuleTrainer(task, shards: 8), ModuleTrainer(task, shards: 8))
        for threads in [2, 3, 4] {
            whole.beginStep()
            whole.compute(whole.wholeStep, threads: 1)
            _ = whole.finishStep()
            growing.beginStep()
            growing.compute(ShardRange(0..<2), threads: threads - 1)
            growing.compute(ShardRange(2..<8), threads: threads)
            _ = growing.finishStep()
            #expect(whole.bits == growing.bits, "\(threads) threads")
        }
    }

    @Test func `has the first parameters of its seed, whoever else makes a model at the time`() {
        let bits = Mutex<Set<[UInt32]>>([])
        DispatchQueue.concurrentPerform(iterations: 400) { _ in
            let made = ModuleTrainer(Tagging(), shards: 1).bits
            _ = bits.withLock { $0.insert(made) }
        }
        #expect(bits.withLock { $0.count } == 1)
    }

    @Test func `has other dropout in every step and shard, and the same in another process`() throws {
        // Steps 0 and 1 see the same batch; without new masks their gradients at equal parameters would be equal.
        struct Constant: DistributedTask {
            struct Model: Module {
                let weight = Parameter([1], shape: [1])
                let dropout = Dropout(p: 0.5)
            }
            func makeModel() -> Model { Model() }
            func batch(step: Int) -> [Float] { Array(repeating: 1, count: 64) }
            func loss(_ model: Model, _ examples: [Float]) -> (sum: Tensor, count: Int) {
                (model.dropout(Tensor(examples) * model.weight.tensor).sum(), examples.count)
            }
        }
        let trainer = ModuleTrainer(Constant(), shards: 2)
        trainer.beginStep()
        func answers(_ step: UInt64) throws -> [[UInt32]] {
            let worker = ModuleComputer(Constant(), seed: 3)
            let ones = Array(repeating: "1", count: 32).joined(separator: ",")
            return try (0..<2).map { shard in
                let sent = "{\"step\":\(step),\"firstRows\":[\(32 * shard)],\"examples\":[[\(ones)]]}"
                let range = ShardRange(shard..<shard + 1)
                return try worker.answers(to: Array(sent.utf8), step: step, shards: range)[0].travelling.words
            }
        }
        let (first, second) = (try answers(0), try answers(1))
        #expect(first == (try answers(0)))
        let worker = ModuleComputer(Constant(), seed: 3)
        let sent = try worker.answers(
            to: trainer.assignment(for: ShardRange(0..<1)), step: 0, shards: ShardRange(0..<1))
        #expect(sent[0].travelling.words == first[0])
        #expect(Set(first + second).count > 2, "masks that never differ")
    }

    @Test func `sends numbers without losing a bit`() throws {
        var random = RunDirectoryTesting.Generator(RunDirectoryTesting.seed)
        var numbers: [Float] = [
            -0.0, 0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude.nextDown,
            .greatestFiniteMagnitude, 0.1, 1 / 3, 16_777_216, 1e22, 1.2345679e8,
        ]
        while numbers.count < 4096 {
            let number = Float(bitPattern: UInt32.random(in: 0 ... .max, using: &random))
            if number.isFinite { numbers.append(number) }
        }
        let trainer = ModuleTrainer(Summing(numbers: numbers), shards: 4096)
        trainer.beginStep()
        for (shard, number) in numbers.enumerated() {
            let range = ShardRange(shard..<shard + 1)
            let answer = try trainer.computer.answers(to: trainer.assignment(for: range), step: 0, shards: range)[0]
            #expect(answer.storage.words[0] == number.bitPattern, "\(number)")
        }
    }

    @Test func `names its parameters to workers`() {
        let trainer = ModuleTrainer(Tagging(), shards: 1)
        let said = String(decoding: trainer.modelBytes, as: UTF8.self)
        #expect(said.contains(" Tagging 3: embedding.weight[9, 5] encoder.weight_ih_l0[21, 5]"))
        #expect(trainer.modelBytes == ModuleTrainer(Tagging(rows: 40), shards: 4).modelBytes)
    }

    @Test func `is another one to workers with another seed, or at another place in the program`() {
        func bytes(place: Int, seed: UInt64) -> [UInt8] {
            ModuleTrainer(
                Tagging(), place: place, steps: 1, shards: 1, seed: seed, clipNorm: 0, learningRate: nil,
                optimizer: { SGD($0, learningRate: 1) }
            ).modelBytes
        }
        #expect(Set([bytes(place: 0, seed: 1), bytes(place: 0, seed: 2), bytes(place: 1, seed: 1)]).count == 3)
        #expect(bytes(place: 1, seed: 1) == bytes(place: 1, seed: 1))
    }
}

@Suite struct `An assignment of a task's examples` {
    private let trainer = ModuleTrainer(Summing(numbers: (0..<24).map(Float.init)), shards: 8)
    private let range = ShardRange(2..<5)

    private func refusal(_ bytes: [UInt8], step: UInt64 = 0, shards: ShardRange? = nil) -> String? {
        do {
            _ = try trainer.computer.answers(to: bytes, step: step, shards: shards ?? range)
            return nil
        } catch { return (error as? ShardWorkError)?.description ?? "another error: \(error)" }
    }

    @Test func `is for its step and shards`() {
        trainer.beginStep()
        let bytes = trainer.assignment(for: range)
        #expect(refusal(bytes) == nil)
        #expect(refusal(bytes, step: 1)?.contains("step 1, shards [2, 5)") == true)
        #expect(refusal(bytes, shards: ShardRange(2..<4))?.contains("shards [2, 4)") == true)
    }

    @Test func `cut short is refused`() {
        trainer.beginStep()
        let bytes = trainer.assignment(for: range)
        for length in 0..<bytes.count {
            #expect(refusal(Array(bytes.prefix(length)))?.hasPrefix("assignment of step 0") == true, "\(length) bytes")
        }
    }

    @Test func `changed at any byte is computed or refused, never a crash`() {
        trainer.beginStep()
        let bytes = trainer.assignment(for: range)
        var refused = 0
        for position in bytes.indices {
            for value in [UInt8(0), 0x22, 0x2D, 0x30, 0x39, 0x5B, 0x5D, 0x7F, 0xFF] where bytes[position] != value {
                var changed = bytes
                changed[position] = value
                guard let sentence = refusal(changed) else { continue }
                #expect(sentence.hasPrefix("assignment of step 0, shards [2, 5)"), "byte \(position) as \(value)")
                refused += 1
            }
        }
        #expect(refused > bytes.count)
    }

    @Test(
        arguments: [
            ("[-6,-3,0]", "[[6,7,8],[9,10,11],[12,13,14]]"),
            ("[6,9,9223372036854775807]", "[[6,7,8],[9,10,11],[12,13,14]]"),
            ("[9223372036854775807,9,12]", "[[6,7,8],[9,10,11],[12,13,14]]"),
            ("[4294967290,4294967293,4294967296]", "[[6,7,8],[9,10,11],[12,13,14]]"),
            ("[6,9,13]", "[[6,7,8],[9,10,11],[12,13,14]]"), ("[6,9,12]", "[[6,7,8],[],[12,13,14]]"),
            ("[6,9]", "[[6,7,8],[9,10,11],[12,13,14]]"), ("[6,9,12]", "[[6,7,8],[9,10,11]]"),
        ])
    func `whose rows do not follow one another is refused`(firstRows: String, examples: String) {
        let json = "{\"step\":0,\"firstRows\":\(firstRows),\"examples\":\(examples)}"
        #expect(refusal(Array(json.utf8))?.hasPrefix("assignment of step 0, shards [2, 5)") == true)
    }
}

/// A task whose lookups change the table.
struct Renormalising: DistributedTask {
    struct Model: Module {
        let embedding = Embedding(numEmbeddings: 3, embeddingDim: 4, maxNorm: 0.5)
    }
    func makeModel() -> Model { Model() }
    func batch(step: Int) -> [Int32] { [0, 1, 2] }
    func loss(_ model: Model, _ examples: [Int32]) -> (sum: Tensor, count: Int) {
        (model.embedding(IntTensor(examples)).sum(), examples.count)
    }
}

@Suite struct `A task stops with a sentence` {
    @Test func `when a loss changes parameters, which no other process would see`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let trainer = ModuleTrainer(Renormalising(), shards: 1)
            trainer.beginStep()
            trainer.compute(trainer.wholeStep, threads: 1)
        }
        let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(said.contains("loss: embedding.weight [3, 4] changed while a loss was computed"), "it said: \(said)")
    }

    @Test func `when a batch has fewer examples than there are shards`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            ModuleTrainer(Tagging(rows: 3), shards: 4).beginStep()
        }
        let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(
            said.contains("batch: step 0 has 3 examples for 4 shards; expected at least one for each"),
            "it said: \(said)")
    }
}
