import Foundation
import Testing

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `The command` {
    @Test func `samples and evaluates a trained run, the same each time`() throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        let text = try place.text()
        let trained = try place.run(
            [
                "train", "--data", text, "--hidden-size", "16", "--batch-size", "8", "--seq-len", "8", "--steps", "20",
                "--run", run,
            ])
        #expect(trained.code == 0, "\(trained.errors)")
        let sample = ["sample", run, "--prompt", "the ", "--length", "40", "--seed", "3"]
        let first = try place.run(sample)
        #expect(first.code == 0 && first.output.hasPrefix("the ") && first.output.count == 45, "\(first)")
        #expect(try place.run(sample).output == first.output)
        #expect(try place.run(sample.dropLast() + ["4"]).output != first.output)
        let own = try place.run(["evaluate", run, "--json"])
        let whole = try place.run(["evaluate", run, "--data", text, "--json"])
        #expect((Double(own.member("loss")) ?? 0) > 0.5)
        #expect((Double(whole.member("loss")) ?? 0) > 0.5)
    }

    @Test func `refuses a directory that holds a run, and leaves it as it is`() throws {
        let place = try Workplace()
        let arguments = ["train", "--set", "hello", "--steps", "3", "--run", "\(place.path)/run"]
        #expect(try place.run(arguments).code == 0)
        let before = try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/run").sorted()
        expectRefusal(try place.run(arguments), says: "lockstep resume")
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/run").sorted() == before)
    }

    @Test(
        arguments: [
            (["--hiden-size", "3"], "hiden-size"), (["--cell", "lstn"], "expected rnn, lstm or gru"),
            (["--lr", "-1"], "--lr"),
            (["--shards", "3"], "power of two"), (["--shards", "16", "--batch-size", "8"], "batch size"),
            (["--hidden-size", "0"], "--hidden-size 0"), (["--data", "missing.txt"], "missing.txt"),
            (["--data", "/"], "directory"), (["--set", "addition", "--data", "x"], "expected one of the two"),
            (["--steps", "3", "--epochs", "2"], "expected one of the two"),
            (["--set", "hello", "--batch-size", "4"], "expected 1"),
            (["--workers", "-1"], "--workers"), (["--dropout", "1"], "--dropout"), (["--steps", "many"], "many"),
        ] as [([String], String)])
    func `answers a wrong setting with one line and exit code 2`(arguments: [String], sentence: String) throws {
        let place = try Workplace()
        let outcome = try place.run(["train", "--run", "\(place.path)/run"] + arguments)
        expectRefusal(outcome, says: sentence)
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }

    @Test(
        arguments: [
            ([], "empty"), (Array("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".utf8), "symbol"),
            (Array("abc".utf8) + [0xFF] + Array("def".utf8), "3"),
        ] as [([UInt8], String)])
    func `answers an unusable text with one line and exit code 2`(content: [UInt8], sentence: String) throws {
        let place = try Workplace()
        try Data(content).write(to: URL(fileURLWithPath: "\(place.path)/text"))
        expectRefusal(
            try place.run(["train", "--data", "\(place.path)/text", "--run", "\(place.path)/run"]), says: sentence)
    }

    @Test(arguments: ["tcp://0.0.0.0:5555", "tcp://10.0.0.1:5555", "tcp://*:5555", "udp://x"])
    func `opens nothing to other machines`(endpoint: String) throws {
        let place = try Workplace()
        expectRefusal(try place.run(["coordinator", "--bind", endpoint, "--run", "\(place.path)/run"]), says: endpoint)
        expectRefusal(try place.run(["worker", "--connect", endpoint]), says: endpoint)
    }

    @Test func `names an instruction set that is not there`() throws {
        let place = try Workplace()
        expectRefusal(try place.run(["--version"], environment: ["LOCKSTEP_ISA": "mmx"]), says: "LOCKSTEP_ISA")
    }

    @Test func `does not sample what is no run`() throws {
        let place = try Workplace()
        expectRefusal(try place.run(["sample", place.path]), says: "not a run")
    }

    private func expectRefusal(_ outcome: Outcome, says sentence: String) {
        #expect(outcome.code == 2, "\(outcome)")
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains(sentence), "\(outcome.errors)")
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
    }
}
