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
            (["--validation-every", "0"], "--validation-every 0"),
            (["--checkpoint-every", "0"], "--checkpoint-every 0"),
            (["--hidden-size", "1000000"], "GB of memory"), (["--batch-size", "16000000"], "GB of memory"),
            (["--workers", "-1"], "--workers"),
            (["--workers", "2", "--audit", "101%"], "--audit '101%'"), (["--audit", "5%"], "workers to audit"),
            (["--dropout", "1"], "--dropout"), (["--steps", "many"], "many"),
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

    @Test func `answers more epochs than there are steps with one line`() throws {
        let place = try Workplace()
        let arguments = [
            "train", "--data", try place.text(), "--epochs", "9223372036854775807", "--run", "\(place.path)/run",
        ]
        expectRefusal(try place.run(arguments), says: "--epochs 9223372036854775807")
    }

    @Test func `names a directory that cannot be made`() throws {
        let place = try Workplace()
        let outcome = try place.run(["train", "--set", "hello", "--steps", "3", "--run", "/proc/lockstep/run"])
        #expect(outcome.code == 2 && outcome.errors.contains("/proc/lockstep"), "\(outcome)")
    }

    @Test func `goes on when nobody takes its words, and fails when nobody takes its result`() throws {
        let place = try Workplace()
        let common = "'\(Workplace.executable("lockstep"))' train --set hello --steps 400 --json"
        let silent = try place.shell("\(common) --run silent 2>&-")
        #expect(silent.code == 0 && silent.member("steps") == "400", "\(silent)")
        let closed = try place.shell("\(common) --run closed 2>&1 >/dev/null | head -n 1; wait")
        #expect(closed.output.contains("step"))
        #expect(
            try String(contentsOfFile: "\(place.path)/closed/summary.json", encoding: .utf8).contains("\"steps\" : 400")
        )
        let full = try place.shell("\(common) --run full >/dev/full")
        #expect(full.code == 1 && full.errors.contains("standard output"), "\(full)")
        let read = try place.shell("'\(Workplace.executable("lockstep"))' sample closed --length 9 | head -c 1")
        #expect(read.code == 0 && read.errors.isEmpty, "\(read)")
    }

    @Test func `resuming a run that is done prints its summary and changes nothing`() throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        let first = try place.run(["train", "--set", "hello", "--steps", "5", "--run", run, "--json"])
        let again = try place.run(["resume", run, "--json"])
        #expect(again.code == 0 && again.output == first.output, "\(again)")
        #expect(try String(contentsOfFile: "\(run)/summary.json", encoding: .utf8) == first.output)
    }

    @Test(arguments: ["ipc", "tcp"])
    func `leaves an endpoint to the coordinator that has it`(transport: String) throws {
        let place = try Workplace()
        let bind = transport == "ipc" ? "ipc://\(place.path)/socket" : "tcp://127.0.0.1:*"
        let common = ["--set", "hello", "--steps", "4000000", "--fallback-after", "0"]
        let first = try place.start(["coordinator", "--bind", bind, "--run", "\(place.path)/first"] + common)
        #expect(first.wait { first.errors.contains("--connect ") })
        let endpoint = first.errors.components(separatedBy: "--connect ")[1].components(separatedBy: "\n")[0]
        let second = try place.run(["coordinator", "--bind", endpoint, "--run", "\(place.path)/second"] + common)
        #expect(second.code == 2 && second.errors.contains("another process listens there"), "\(second)")
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/second"))
        // Of the same run it is said who holds it.
        let run = "\(place.path)/first"
        for command in [
            ["coordinator", "--bind", endpoint, "--run", run] + common, ["resume", run, "--bind", endpoint],
        ] {
            let again = try place.run(command)
            #expect(again.code == 4 && again.errors.contains("held by process "), "\(again)")
        }
        first.signal(SIGTERM)
        #expect(first.wait().code == 143)
    }

    private func expectRefusal(_ outcome: Outcome, says sentence: String) {
        #expect(outcome.code == 2, "\(outcome)")
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains(sentence), "\(outcome.errors)")
        #expect(outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome.errors)")
    }
}
