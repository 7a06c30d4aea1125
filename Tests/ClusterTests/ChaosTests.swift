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
            ("kil worker every 5s", "got 'kil', expected kill, stall or drop; did you mean kill?"),
            ("kill wrker every 5s", "got 'wrker', expected worker or coordinator; did you mean worker?"),
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
            ("drop 5%; drop 6%", "got 'drop' twice, expected one share"),
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

@Suite struct `The costs of chaos` {
    private let begun = ContinuousClock.now

    private func ledger(_ orders: Int) -> ChaosCosts {
        ChaosCosts(orders: (0..<orders).map { "order \($0)" }, dropRate: 0, seed: 1)
    }

    @Test func `are a window's time less what its steps would have taken in quiet`() throws {
        var costs = ledger(1)
        // A step a second; then one that takes five.
        for second in 1...10 { costs.stepDone(UInt64(second), at: begun + .seconds(second)) }
        costs.begin(0, at: begun + .seconds(10), lasting: .zero)
        costs.stepDone(11, at: begun + .seconds(15))
        costs.stepDone(12, at: begun + .seconds(16))
        costs.finish(at: begun + .seconds(16))
        #expect(abs(costs.seconds[0] - 4) < 1e-9)
    }

    @Test func `of faults that overlap are shared, and all together are no more than the time`() throws {
        var costs = ledger(3)
        for second in 1...10 { costs.stepDone(UInt64(second), at: begun + .seconds(second)) }
        // All at once, and the last step comes twenty seconds later.
        for order in 0..<3 { costs.begin(order, at: begun + .seconds(10), lasting: .seconds(order)) }
        costs.stepDone(11, at: begun + .seconds(30))
        costs.finish(at: begun + .seconds(30))
        #expect(costs.seconds.allSatisfy { abs($0 - 19.0 / 3) < 1e-9 }, "\(costs.seconds)")
    }

    @Test func `of any faults are no more than the time between the first and the end`() throws {
        let given = ProcessInfo.processInfo.environment["LOCKSTEP_TEST_SEED"].flatMap { UInt64($0) }
        let seed = given ?? .random(in: 0 ... .max)
        var state = seed
        func draw(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        var (costs, now, step, first) = (ledger(4), begun, UInt64(0), begun)
        for event in 0..<400 {
            now += .milliseconds(draw(1500))
            if draw(3) > 0 {
                step += draw(3)
                costs.stepDone(step, at: now)
            } else {
                if first == begun { first = now }
                costs.begin(Int(draw(4)), at: now, lasting: .milliseconds(draw(5000)))
            }
            if event == 399 { costs.finish(at: now) }
        }
        let sum = costs.seconds.reduce(0, +)
        #expect(sum > 0 && sum <= (now - first) / .seconds(1), "LOCKSTEP_TEST_SEED=\(seed): \(sum)")
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

    @Test func `whose plan leaves no time for a step ends with a sentence, and can be resumed`() throws {
        let place = try Workplace()
        let outcome = try place.run([
            "train", "--data", try place.text(), "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16",
            "--seq-len", "12", "--checkpoint-every", "1000", "--steps", "100000", "--run", "\(place.path)/run",
            "--workers", "1", "--chaos", "kill coordinator every 10ms",
        ])
        #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
        #expect(
            outcome.errors.contains(
                " was killed by signal 9 as --chaos says, 50 times in a row without a new step; given up: it leaves no time for one; to go on: lockstep resume \(place.path)/run\n"
            ), "\(outcome)")
    }

    private static let hello = ["train", "--set", "hello", "--threads", "1", "--seed", "1"]

    /// The words of the table's line that begins so.
    private func row(_ name: String, of outcome: Outcome) -> [Substring]? {
        outcome.errors.split(separator: "\n").last { $0.hasPrefix(name) }?.dropFirst(name.count).split(separator: " ")
    }

    @Test(arguments: ["kill worker at step 59", "kill coordinator at step 60", "stall worker 2 for 50ms at step 60"])
    func `does what is asked for at its last steps`(order: String) throws {
        let place = try Workplace()
        let outcome = try place.run(
            Self.hello + ["--steps", "60", "--run", "\(place.path)/run", "--workers", "2", "--chaos", order])
        #expect(outcome.code == 0, "\(outcome)")
        #expect(row(order, of: outcome)?.first == "1", "\(outcome)")
    }

    @Test(arguments: [false, true])
    func `counts messages that were dropped without a step being done, at a kill too`(killed: Bool) throws {
        let place = try Workplace()
        let process = try place.start(
            Self.hello + [
                "--steps", "4000000", "--run", "\(place.path)/run", "--workers", "2", "--chaos", "drop 99.9%",
            ])
        #expect(process.wait { process.children.count >= 2 && process.coordinator.map { $0 > 0 } == true })
        // Hellos are said again and again.
        sleep(2)
        if killed { kill(try #require(process.coordinator), SIGKILL) }
        process.signal(SIGTERM)
        let outcome = process.wait()
        #expect(row("drop 99.9%", of: outcome)?.first.flatMap { Int($0) } ?? 0 > 0, "\(outcome)")
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
