import Cluster
import Foundation
import Testing

@Suite struct `A plan of chaos` {
    @Test func `is read clause by clause`() throws {
        let plan = try ChaosPlan(
            "kill worker every 5s; kill coordinator at step 300;stall  worker 2 for 10s ; drop 5%; "
                + "stall coordinator for 500ms after 2m; kill worker 1 after 1.5s", workers: 2)
        #expect(plan.dropRate == 0.05)
        #expect(plan.orders.map(\.deed) == [.kill, .kill, .stall(.seconds(10)), .stall(.milliseconds(500)), .kill])
        #expect(
            plan.orders.map(\.target) == [.worker(nil), .coordinator, .worker(2), .coordinator, .worker(1)])
        #expect(
            plan.orders.map(\.occasion) == [
                .every(.seconds(5)), .atStep(300), .after(.zero), .after(.seconds(120)), .after(.seconds(1.5)),
            ])
        #expect(plan.orders[2].text == "stall worker 2 for 10s")
    }

    @Test(
        arguments: [
            ("", "expected faults"), (" ; ", "expected faults"),
            ("kil worker every 5s", "got 'kil', expected kill, stall or drop"),
            ("kill wrker every 5s", "got 'wrker', expected worker or coordinator"),
            ("kill worker 3 every 5s", "got '3', expected a worker from 1 to 2"),
            ("kill worker 0 every 5s", "expected a worker from 1 to 2"),
            ("kill worker", "got its end, expected every, after or at"),
            ("kill worker every 5", "got '5', expected a time, as 500ms, 5s or 2m"),
            ("kill worker every 0s", "expected a time"), ("kill worker every nans", "expected a time"),
            ("kill worker every infs", "expected a time"), ("kill worker every -1s", "expected a time"),
            ("kill worker at 300", "got '300', expected step"),
            ("kill worker at step 0", "expected the number of a step"),
            ("kill worker every 5s now", "got 'now', expected its end"), ("stall worker 10s", "expected"),
            ("stall worker for", "got its end, expected a time"), ("drop 5", "expected a share"),
            ("drop 0%", "expected a share"),
            ("drop 100%", "expected a share"), ("drop x%", "expected a share"), ("drop 5% kill", "expected its end"),
        ])
    func `that cannot be read is answered with what was expected where`(text: String, sentence: String) {
        do {
            _ = try ChaosPlan(text, workers: 2)
            Issue.record("read")
        } catch {
            #expect(error.exitCode == 2)
            #expect("\(error)".hasPrefix("--chaos '") && "\(error)".contains(sentence), "\(error)")
        }
    }
}

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `Training under chaos` {
    @Test func `ends with the bits of an undisturbed one and a table of what was done`() throws {
        let place = try Workplace()
        let common = [
            "train", "--data", try place.text(), "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16",
            "--seq-len", "12", "--validation-every", "1000", "--checkpoint-every", "200", "--steps", "2500", "--json",
            "--seed", "7",
        ]
        let alone = try place.run(common + ["--run", "\(place.path)/alone"])
        let outcome = try place.run(
            common + [
                "--run", "\(place.path)/run", "--workers", "3", "--chaos",
                "kill worker every 700ms; kill coordinator at step 900; stall worker 2 for 500ms; drop 0.05%",
            ])
        #expect(outcome.code == 0, "\(outcome)")
        #expect(outcome.member("parameters_sha256") == alone.member("parameters_sha256"), "\(outcome)")
        let lines = outcome.errors.split(separator: "\n").map(String.init)
        let table = try #require(lines.firstIndex { $0.hasPrefix("chaos, seed 7") }, "\(outcome)")
        let rows = lines[(table + 1)...].map {
            $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        }
        #expect(
            rows.map { $0[0...1].joined(separator: " ") } == [
                "kill worker", "kill coordinator", "stall worker", "drop 0.05%",
            ])
        #expect(rows[0].contains("every") && rows[1].contains("1") && rows[1].last == "s")
        #expect(try String(contentsOfFile: "\(place.path)/run/incarnation", encoding: .utf8).hasPrefix("2 "))
    }

    @Test func `needs workers, and a plan that can be read`() throws {
        let place = try Workplace()
        for (arguments, sentence) in [
            (["--chaos", "kill coordinator after 1s"], "--workers"),
            (["--chaos", "kill everybody", "--workers", "2"], "expected worker or coordinator"),
        ] {
            let outcome = try place.run(["train", "--run", "\(place.path)/run"] + arguments)
            #expect(outcome.code == 2 && outcome.output.isEmpty, "\(outcome)")
            #expect(outcome.errors.contains(sentence) && outcome.errors.filter { $0 == "\n" }.count == 1, "\(outcome)")
        }
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }
}
