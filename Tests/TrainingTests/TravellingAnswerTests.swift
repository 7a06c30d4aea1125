import Coordination
import Sequences
import TensorCore
import Testing
import Training

/// The two answers of a step over two shards, with the trainer they are for.
private struct Answers {
    let trainer: ModuleTrainer<Tagging>
    let left: SubtreeAnswer
    let right: SubtreeAnswer

    init() throws {
        trainer = ModuleTrainer(Tagging(rows: 4), shards: 2, clipNorm: 1)
        trainer.beginStep()
        func compute(_ shard: Int, _ trainer: ModuleTrainer<Tagging>) throws -> SubtreeAnswer {
            let range = ShardRange(shard..<shard + 1)
            return try trainer.computer.answers(to: trainer.assignment(for: range), step: 0, shards: range)[0]
        }
        left = try compute(0, trainer)
        right = try compute(1, trainer)
    }

    func read(_ block: Storage) throws -> SubtreeAnswer { try trainer.answer(travelled: block, for: left.subtree) }
}

@Suite struct `An assignment that arrives` {
    @Test func `of more rows than any batch has is refused, and does not overflow`() {
        var bytes = [UInt8](repeating: 0, count: 8)
        for number: UInt32 in [0, .max, .max, .max, 1, .max, 0] {
            for shift in stride(from: UInt32(0), to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        #expect(throws: ShardWorkError.self) { try ShardWork(decoding: bytes) }
    }

    @Test func `comes for a model only that this machine can hold`() {
        var description = ModelDescription(
            cell: .lstm, vocabularySize: 12, embeddingDim: 2, hiddenSize: 2, numLayers: 1, seed: 0)
        #expect(ShardComputer.make(description.encoded()) != nil)
        (description.hiddenSize, description.numLayers) = (1 << 24, 255)
        #expect(ModelDescription(decoding: description.encoded()) == description)
        #expect(ShardComputer.make(description.encoded()) == nil)
    }
}

@Suite struct `An answer with sparse tables` {
    @Test func `travels without losing a bit`() throws {
        let answers = try Answers()
        let sent = answers.left.travelling
        let read = try answers.read(sent)
        #expect(read.travelling.words == sent.words)
        #expect(read.tables.count == 2)
        #expect(read.tables.map(\.rows) == answers.left.tables.map(\.rows) && !read.tables[0].rows.isEmpty)
        #expect(read.tables.map { $0.values.words } == answers.left.tables.map { $0.values.words })
        #expect(read.lossSum == answers.left.lossSum && read.tokens == 2)
        #expect(read.subtree == answers.left.subtree)
    }

    @Test func `of any other length is refused`() throws {
        let answers = try Answers()
        let sent = answers.left.travelling
        for length in 0..<sent.count {
            #expect(throws: SubtreeAnswerError.self, "\(length) words") { try answers.read(sent.resized(length)) }
        }
        for extra in 1...40 {
            #expect(throws: SubtreeAnswerError.self) { try answers.read(sent.resized(sent.count + extra)) }
        }
    }

    @Test func `changed at any word is read or refused, and what is read can be added`() throws {
        let answers = try Answers()
        let sent = answers.left.travelling
        let (trainer, right) = (answers.trainer, answers.right)
        try trainer.add(answers.left)
        try trainer.add(right)
        _ = trainer.finishStep()
        var (read, refused) = (0, 0)
        for index in 0..<sent.count {
            let word = sent.words[index]
            for value in [0, 1, word ^ 1, word ^ 0x8000_0000, 0x7FFF_FFFF, 0x8000_0000, .max] where value != word {
                let answer: SubtreeAnswer
                do { answer = try answers.read(sent.replacing(index, with: value)) } catch {
                    #expect(error is SubtreeAnswerError)
                    refused += 1
                    continue
                }
                read += 1
                // A whole step for one in some, since it takes longer than the rest.
                guard index % 7 == 0 || index > sent.count - 200 else { continue }
                trainer.beginStep()
                try trainer.add(answer)
                try trainer.add(right)
                _ = trainer.finishStep()
            }
        }
        #expect(read > 0 && refused > 0)
    }

    @Test func `whose rows are past the table or not ascending is refused`() throws {
        let answers = try Answers()
        let sent = answers.left.travelling
        // Behind gradients, counts and one checksum: how many rows of the first table, and which.
        let place = answers.trainer.computer.layout.denseCount + 4 + 2
        let rows = answers.left.tables[0].rows.map(UInt32.init)
        #expect(Array(sent.words[place...place + rows.count]) == [UInt32(rows.count)] + rows && rows.count >= 2)
        for last in [9, rows[rows.count - 2], UInt32.max] {
            #expect(throws: SubtreeAnswerError.self) {
                try answers.read(sent.replacing(place + rows.count, with: last))
            }
        }
        #expect(throws: SubtreeAnswerError.self) { try answers.read(sent.replacing(place + 1, with: rows[1])) }
        #expect(throws: SubtreeAnswerError.self) { try answers.read(sent.replacing(place, with: 10)) }
    }

    @Test func `that counts more tokens than can be added up is refused`() throws {
        let answers = try Answers()
        let sent = answers.left.travelling
        // The counts lie behind the dense gradients: the loss sum, then the tokens.
        let dense = answers.trainer.computer.layout.denseCount
        #expect(sent.words[dense + 2] == 2 && sent.words[dense + 3] == 0)
        let all = sent.replacing(dense + 2, with: .max).replacing(dense + 3, with: .max)
        #expect(throws: SubtreeAnswerError.self) { try answers.read(all) }
    }
}

/// What the protocol's page says of a language model, put down once more.
@Suite struct `A language model's answer` {
    private static let prime: UInt64 = 0x9E37_79B1_85EB_CA87

    /// Of the bits of floats, in 32 lanes.
    private static func checksum(_ floats: ArraySlice<UInt32>) -> UInt64 {
        var words = Array(floats)
        words += Array(repeating: 0, count: (64 - words.count % 64) % 64)
        var lanes = (1...32).map { UInt64($0) &* prime }
        for index in 0..<words.count / 2 {
            let mixed = (lanes[index % 32] ^ (UInt64(words[2 * index + 1]) << 32 | UInt64(words[2 * index]))) &* prime
            lanes[index % 32] = mixed << 29 | mixed >> 35
        }
        return lanes.reduce(UInt64(floats.count)) { sum, lane in
            let mixed = (sum ^ lane) &* prime
            return mixed ^ mixed >> 32
        }
    }

    private static func mix(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let mixed = (one ^ other) &* prime
        return mixed ^ mixed >> 29
    }

    @Test(arguments: Cell.allCases) func `is laid out, and its shard's checksum made, as the page says`(_ cell: Cell) {
        let (tokens, inputs, hidden) = (7, 3, 5)
        let description = ModelDescription(
            cell: cell, vocabularySize: tokens, embeddingDim: inputs, hiddenSize: hidden, numLayers: 2, seed: 4)
        #expect(
            String(decoding: description.encoded(), as: UTF8.self)
                == #"{"cell":"\#(cell)","dropout":0,"embeddingDim":3,"hiddenSize":5,"nonlinearity":"tanh","numLayers":2,"#
                + #""seed":4,"vocabularySize":7}"#)
        let rows = [.rnn: 1, .lstm: 4, .gru: 3][cell]! * hidden
        let parameters = [
            ("embedding.weight", [tokens, inputs]),
            ("recurrent.weight_ih_l0", [rows, inputs]), ("recurrent.weight_hh_l0", [rows, hidden]),
            ("recurrent.bias_ih_l0", [rows]), ("recurrent.bias_hh_l0", [rows]),
            ("recurrent.weight_ih_l1", [rows, hidden]), ("recurrent.weight_hh_l1", [rows, hidden]),
            ("recurrent.bias_ih_l1", [rows]), ("recurrent.bias_hh_l1", [rows]),
            ("output.weight", [tokens, hidden]), ("output.bias", [tokens]),
        ]
        let computer = ShardComputer(description)
        #expect(computer.layout.entries.map(\.name) == parameters.map(\.0))
        #expect(computer.layout.entries.map(\.shape) == parameters.map(\.1))

        let state = 2 * hidden * (cell == .lstm ? 2 : 1)
        let batch = TokenBatch(steps: 3, rows: 1, inputs: [4, 1, 4], targets: [1, -1, 6])
        let work = ShardWork(
            step: 0, shards: 1..<2, shardCount: 2, globalRows: 2, batch: batch,
            state: .zeros(rows: 1, of: description))
        let answer = computer.compute(work)[0]
        let words = answer.travelling.words
        let dense = parameters.reduce(0) { $0 + $1.1.reduce(1, *) }
        func number(_ place: Int) -> UInt64 { UInt64(words[place + 1]) << 32 | UInt64(words[place]) }
        #expect(Double(bitPattern: number(dense)) == answer.lossSum && number(dense + 2) == 2)

        var (place, sketch) = (0, UInt64(0))
        for (_, shape) in parameters {
            let end = place + shape.reduce(1, *)
            if shape.count == 1 { sketch ^= Self.mix(Self.checksum(words[place..<end]), UInt64(place)) }
            place = end
        }
        #expect(number(dense + 4) == Self.mix(Self.mix(sketch, number(dense)), 2))

        #expect(words.count == dense + 6 + state && words[(dense + 6)...].contains { $0 != 0 })
    }
}

@Suite struct `An answer of a language model` {
    @Test func `is for the tokens that its shards have, and of a loss that can be`() throws {
        var configuration = RunConfiguration(data: .generated(.addition))
        (configuration.hiddenSize, configuration.batchSize, configuration.shards) = (9, 13, 4)
        let trainer = Trainer(configuration, source: try configuration.makeSource())
        for _ in 0..<2 {
            trainer.beginStep()
            for range in [ShardRange(0..<1), ShardRange(1..<2), ShardRange(2..<4)] {
                let answer = trainer.computer.compute(trainer.work(for: range))[0]
                func read() throws -> SubtreeAnswer {
                    try trainer.answer(travelled: answer.travelling, for: answer.subtree)
                }
                let (tokens, loss) = (answer.tokens, answer.lossSum)
                #expect(try read().tokens == tokens && tokens > 0 && loss > 0)
                for other in [0, tokens - 1, tokens + 1, 1 << 40] {
                    answer.tokens = other
                    #expect(throws: SubtreeAnswerError.self, "\(other) of \(tokens)") { try read() }
                }
                answer.tokens = tokens
                for other in [-1.7e308, -Double.leastNonzeroMagnitude] {
                    answer.lossSum = other
                    #expect(throws: SubtreeAnswerError.self, "\(other)") { try read() }
                }
                // The coordinator computes these itself, and says whether they are right.
                for other in [0, .nan, -.infinity] as [Double] {
                    answer.lossSum = other
                    #expect(try read().lossSum.bitPattern == other.bitPattern)
                }
                answer.lossSum = loss
                try trainer.add(read())
            }
            #expect(trainer.finishStep().nonFinite == nil)
        }
        let late = SubtreeAnswer(subtree: .leaf(0), layout: trainer.computer.layout)
        #expect(throws: SubtreeAnswerError.self) { try trainer.answer(travelled: late.storage, for: late.subtree) }
    }
}
