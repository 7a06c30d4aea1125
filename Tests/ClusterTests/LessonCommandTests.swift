import Foundation
import Testing

@Suite(.tags(.processes), .timeLimit(.minutes(5))) struct `The lessons` {
    @Test func `all end at ohlol from their default seeds`() throws {
        let outcome = try Workplace().run(["lesson", "all"])
        let last = outcome.output.split(separator: "\n").filter { $0.contains("Epoch [15/15]") }
        #expect(outcome.code == 0 && last.count == 5)
        #expect(last.allSatisfy { $0.contains(": ohlol, Epoch [15/15] loss") }, "\(outcome.output)")
    }

    @Test func `give one loss and one string an epoch as JSON, the same from the same seed`() throws {
        struct Result: Decodable, Equatable {
            let lesson: String
            let losses: [Double]
            let strings: [String]
        }
        func run(_ seed: String) throws -> Result {
            let output = try Workplace().run(["lesson", "gru", "--json", "--epochs", "7", "--seed", seed]).output
            return try JSONDecoder().decode(Result.self, from: Data(output.utf8))
        }
        let first = try run("3")
        #expect(first.lesson == "gru" && first.losses.count == 7 && first.strings.count == 7)
        #expect(first.strings.allSatisfy { $0.count == 5 })
        #expect(try run("3") == first)
        #expect(try run("4") != first)
    }

    @Test(
        arguments: [
            (["lstn"], "expected rnn-cell"), (["gru", "--epochs", "0"], "--epochs 0"), (["gru", "--lr", "-1"], "--lr"),
            (["gru", "--lr", "nan"], "--lr"), (["gru", "--initial", "missing"], "missing"),
            (["all", "--initial", "x"], "one lesson"), (["gru", "--initial", "x", "--seed", "1"], "one of the two"),
        ] as [([String], String)])
    func `answer a wrong setting with one line and exit code 2`(arguments: [String], sentence: String) throws {
        let outcome = try Workplace().run(["lesson"] + arguments)
        #expect(outcome.code == 2 && outcome.output.isEmpty && outcome.errors.contains(sentence), "\(outcome)")
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
    }

    /// How many digits a loss has is up to the learning rate alone.
    @Test func `write a loss out that is beyond every whole number of 64 bits`() throws {
        let outcome = try Workplace().run(["lesson", "gru", "--lr", "1e20", "--epochs", "4"])
        #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome)")
        let losses = outcome.output.split(separator: "\n").compactMap { $0.split(separator: " ").last }
        #expect(losses.count == 4 && losses.contains { $0.count > 20 && $0.hasSuffix(".000") }, "\(outcome)")
        #expect(losses.allSatisfy { Double($0)?.isFinite == true }, "\(outcome)")
    }

    @Test(arguments: [[], ["--json"]])
    func `stop where the loss is no number any more, with a sentence and exit code 1`(flags: [String]) throws {
        let outcome = try Workplace().run(["lesson", "gru", "--lr", "1e38", "--epochs", "4"] + flags)
        #expect(outcome.code == 1 && !outcome.output.contains("nan") && !outcome.output.contains("4/4"), "\(outcome)")
        let sentence = "lockstep: lesson gru: epoch "
        #expect(outcome.errors.hasPrefix(sentence) && outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome)")
        #expect(outcome.errors.contains("a lower learning rate than 1e+38 (--lr) may help"), "\(outcome)")
    }

    @Test func `refuse the parameters of another lesson, naming what does not fit`() throws {
        let parameters = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("GoldenTests/Embedded/lesson-lstm-3.safetensors").path
        let own = try Workplace().run(["lesson", "lstm", "--initial", parameters])
        #expect(own.code == 0)
        let other = try Workplace().run(["lesson", "gru", "--initial", parameters])
        #expect(other.code == 2 && other.errors.contains("rnn.weight_ih_l0 [32, 10] where [24, 10]"), "\(other)")
    }

    @Test func `come with a comparison of packed and equal lengths`() throws {
        let outcome = try Workplace().run([
            "bench", "--packed", "--workload", "hello", "--cell", "gru", "--steps", "2", "--json",
        ])
        #expect(outcome.code == 0 && (Double(outcome.member("ratio")) ?? 0) > 0, "\(outcome)")
        #expect(outcome.member("workload") == "hello")
    }
}
