import Foundation
import Testing

private let small = [
    "train", "--set", "addition", "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--steps", "12",
    "--json",
]

/// A complete event of a trace.
private struct Event {
    let name: String
    let process: Int
    let begin: Double
    let end: Double

    /// The events of a trace, and the names of its processes.
    static func read(_ path: String) throws -> (events: [Event], processes: [Int: String]) {
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
        let all = try #require((object as? [String: Any])?["traceEvents"] as? [[String: Any]])
        var processes: [Int: String] = [:]
        var events: [Event] = []
        for event in all {
            let process = try #require(event["pid"] as? Int)
            if event["ph"] as? String == "M" {
                processes[process] = (event["args"] as? [String: Any])?["name"] as? String
            } else {
                let begin = try #require(event["ts"] as? Double)
                events.append(
                    Event(
                        name: try #require(event["name"] as? String), process: process, begin: begin,
                        end: begin + (try #require(event["dur"] as? Double))))
            }
        }
        return (events, processes)
    }
}

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `Where the time goes` {
    @Test func `is in a trace of coordinator and workers on one clock, and changes no bit`() throws {
        let place = try Workplace()
        let plain = try place.run(small + ["--run", "\(place.path)/plain"])
        let trace = "\(place.path)/trace.json"
        let traced = try place.run(small + ["--run", "\(place.path)/traced", "--workers", "2", "--trace", trace])
        #expect(traced.member("parameters_sha256") == plain.member("parameters_sha256"), "\(traced.errors)")
        let (events, processes) = try Event.read(trace)
        #expect(processes.values.sorted() == ["coordinator", "worker", "worker"])
        let own = Dictionary(grouping: events) { processes[$0.process] ?? "" }
        let coordinator = try #require(own["coordinator"])
        let workers = try #require(own["worker"])
        #expect(
            Set(coordinator.map(\.name)).isSuperset(of: [
                "wait", "receive", "send", "reduce", "update", "pack", "record",
            ]))
        #expect(Set(workers.map(\.name)).isSuperset(of: ["wait", "receive", "send", "forward", "backward"]))
        // The coordinator packs the weights, once for all of them.
        #expect(!workers.contains { $0.name == "pack" })
        #expect(coordinator.filter { $0.name == "update" }.count == 12)
        // What a worker computes for a step lies between two updates of the coordinator's: on one clock, in the order it happened.
        let updates = coordinator.filter { $0.name == "update" }.sorted { $0.begin < $1.begin }
        for (before, after) in zip(updates, updates.dropFirst()) {
            #expect(workers.contains { $0.name == "backward" && $0.begin >= before.end && $0.end <= after.begin })
        }
    }

    @Test func `is in a trace of one process with threads`() throws {
        let place = try Workplace()
        let trace = "\(place.path)/trace.json"
        let outcome = try place.run(small + ["--run", "\(place.path)/run", "--threads", "2", "--trace", trace])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let (events, processes) = try Event.read(trace)
        #expect(Array(processes.values) == ["process"])
        #expect(events.filter { $0.name == "update" }.count == 12)
        #expect(events.filter { $0.name == "forward" }.count == 24)
    }

    @Test func `is in one trace although the coordinator was killed, and nothing else is left of it`() throws {
        let place = try Workplace()
        let trace = "\(place.path)/trace.json"
        let process = try place.start(
            [
                "train", "--set", "hello", "--steps", "4000", "--run", "\(place.path)/run", "--workers", "2", "--json",
                "--trace", trace, "--chaos", "kill coordinator at step 1000",
            ], environment: ["TMPDIR": place.path])
        let outcome = process.wait()
        #expect(outcome.code == 0 && outcome.errors.contains("is started again"), "\(outcome)")
        let (events, processes) = try Event.read(trace)
        #expect(processes.values.filter { $0 == "coordinator" }.count == 2, "\(processes)")
        #expect(!events.isEmpty)
        #expect(try left(in: place.path) == [])
    }

    private func left(in directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasPrefix("lockstep-") }
    }

    @Test(arguments: [0, 2])
    func `leaves nothing after the next start when all of it is killed`(workers: Int) throws {
        let place = try Workplace()
        let environment = ["TMPDIR": place.path]
        let process = try place.start(
            [
                "train", "--set", "hello", "--steps", "4000000", "--run", "\(place.path)/run", "--workers",
                "\(workers)", "--trace", "\(place.path)/trace.json",
            ], environment: environment)
        #expect(process.wait { process.errors.contains("step ") }, "\(process.errors)")
        #expect(try left(in: place.path).contains { $0.hasPrefix("lockstep-trace-") })
        let coordinator = process.coordinator
        process.signal(SIGKILL)
        if let coordinator { kill(coordinator, SIGKILL) }
        _ = process.wait()
        #expect(try left(in: place.path).contains { $0.hasPrefix("lockstep-trace-") })
        let living = try place.start(
            [
                "train", "--set", "hello", "--steps", "4000000", "--run", "\(place.path)/living", "--trace",
                "\(place.path)/living.json",
            ], environment: environment)
        #expect(living.wait { living.errors.contains("step ") }, "\(living.errors)")
        #expect(try left(in: place.path).count == 1, "that of the one that lives")
        let next = ["train", "--set", "hello", "--steps", "2", "--run", "\(place.path)/next"]
        #expect(try place.run(next, environment: environment).code == 0)
        #expect(try left(in: place.path).count == 1, "that of the one that lives")
        living.signal(SIGTERM)
        _ = living.wait()
        #expect(try left(in: place.path) == [])
        #expect(try !Event.read("\(place.path)/living.json").events.isEmpty)
    }

    @Test func `cannot be written where there is no directory, and no run is begun`() throws {
        let place = try Workplace()
        for workers in ["0", "2"] {
            let outcome = try place.run(
                small + ["--run", "\(place.path)/run", "--workers", workers, "--trace", "\(place.path)/none/trace"])
            #expect(outcome.code == 2 && outcome.errors.contains("none/trace"), "\(outcome.errors)")
            #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
        }
    }

    @Test func `is written over another trace, and over nothing else`() throws {
        let place = try Workplace()
        let (trace, text, pipe) = ("\(place.path)/trace.json", "\(place.path)/text", "\(place.path)/pipe")
        let bench = ["bench", "--workload", "hello", "--steps", "2", "--trace"]
        for _ in 1...2 { #expect(try place.run(bench + [trace]).code == 0) }
        #expect(try !Event.read(trace).events.isEmpty)
        try "a text of somebody's".write(toFile: text, atomically: false, encoding: .utf8)
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        for other in [text, pipe] {
            for command in [bench + [other], small + ["--run", "\(place.path)/run", "--trace", other]] {
                let outcome = try place.run(command)
                #expect(outcome.code == 2 && outcome.errors.contains("no trace"), "\(outcome)")
            }
        }
        #expect(try String(contentsOfFile: text, encoding: .utf8) == "a text of somebody's")
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }

    @Test(arguments: ["ledger.jsonl", "run.json", "trace.json"])
    func `is not written among the files of the run, under whatever name and by whatever way`(name: String) throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        #expect(unsafe mkdir(run, 0o700) == 0 && symlink("run", "\(place.path)/link") == 0)
        for (directory, workers) in [("run", "0"), ("link", "0"), ("run", "2")] {
            let outcome = try place.run(
                small + ["--run", run, "--workers", workers, "--trace", "\(place.path)/\(directory)/\(name)"])
            expect(refused: outcome)
            #expect(outcome.errors.contains("\(directory)/\(name): lies in the place of the run's own files"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: run) == [])
        }
    }

    @Test(arguments: [false, true])
    func `is not written over what was put there while the run went on`(hadTrace: Bool) throws {
        let place = try Workplace()
        let trace = "\(place.path)/trace.json"
        if hadTrace { #expect(FileManager.default.createFile(atPath: trace, contents: nil)) }
        let process = try place.start([
            "train", "--set", "hello", "--steps", "4000000", "--run", "\(place.path)/run", "--trace", trace,
        ])
        #expect(process.wait { process.errors.contains("step ") }, "\(process.errors)")
        try "a text of somebody's".write(toFile: trace, atomically: true, encoding: .utf8)
        process.signal(SIGTERM)
        let outcome = process.wait()
        #expect(outcome.code == 143 && outcome.errors.contains("stopped after step"), "\(outcome)")
        #expect(outcome.errors.contains("--trace \(trace): ") && outcome.errors.contains("meanwhile"), "\(outcome)")
        #expect(try String(contentsOfFile: trace, encoding: .utf8) == "a text of somebody's")
    }

    @Test func `leaves a link that leads nowhere as it is, and goes along one that leads to a trace`() throws {
        let place = try Workplace()
        let (link, trace) = ("\(place.path)/link", "\(place.path)/trace.json")
        #expect(unsafe symlink("trace.json", link) == 0)
        let refused = try place.run(small + ["--run", "/dev/null/run", "--trace", link])
        expect(refused: refused)
        #expect(refused.errors.contains("link: a symbolic link that leads nowhere"), "\(refused)")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "trace.json")
        #expect(!FileManager.default.fileExists(atPath: trace))
        let bench = ["bench", "--workload", "hello", "--steps", "2", "--trace"]
        for path in [trace, link] { #expect(try place.run(bench + [path]).code == 0) }
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "trace.json")
        #expect(try !Event.read(trace).events.isEmpty)
    }

    @Test func `is there whole or not at all when the disk takes no more`() throws {
        let place = try Workplace()
        let command = "'\(Workplace.executable("lockstep"))' bench --workload hello --steps 400 --json --trace"
        #expect(try place.shell("\(command) whole").code == 0)
        let size = try Data(contentsOf: URL(fileURLWithPath: "\(place.path)/whole")).count
        // Its parts are less than half as long.
        for (name, left) in [("new", nil), ("old", 0)] as [(String, Int?)] {
            if left != nil { #expect(FileManager.default.createFile(atPath: "\(place.path)/\(name)", contents: nil)) }
            let outcome = try place.shell("trap '' XFSZ; ulimit -f \(size * 3 / 4 / 1024); \(command) \(name)")
            #expect(
                outcome.code == 1 && outcome.errors == "lockstep: --trace \(name): cannot be written: File too large\n")
            #expect(!outcome.member("milliseconds").hasPrefix("no "), "\(outcome)")
            let attributes = try? FileManager.default.attributesOfItem(atPath: "\(place.path)/\(name)")
            #expect(attributes?[.size] as? Int == left)
        }
    }

    @Test func `is of no worker whose coordinator was not asked for one`() throws {
        let place = try Workplace()
        let outcome = try place.run(
            small + ["--run", "\(place.path)/run", "--workers", "1"], environment: ["LOCKSTEP_TRACE_PARTS": "/nowhere"])
        #expect(outcome.code == 0 && outcome.member("workers_seen") == "1", "\(outcome)")
        #expect(outcome.member("workers_lost") == "0" && !outcome.errors.contains("/nowhere"), "\(outcome)")
    }

    @Test(arguments: [(["--workers", "2"], ["coordinator", "worker"]), (["--threads", "2"], ["process"])])
    func `is what a bench says with its shares`(flags: [String], names: [String]) throws {
        let place = try Workplace()
        let trace = "\(place.path)/trace.json"
        let outcome = try place.run(
            ["bench", "--workload", "hello", "--steps", "5", "--profile", "--trace", trace, "--json"] + flags)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let (events, processes) = try Event.read(trace)
        #expect(Set(processes.values) == Set(names) && events.contains { $0.name == "backward" })
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        let profile = try #require(object?["profile"] as? [String: [String: Double]])
        #expect(profile.keys.sorted() == names)
        for (name, shares) in profile {
            #expect(abs(shares.values.reduce(0, +) - 1) < 1e-9, "\(name): \(shares)")
            #expect(shares.values.allSatisfy { $0 >= 0 })
        }
        #expect(names == ["process"] || profile["worker"]?["backward"] != nil)
        #expect((object?["first_step_ms"] as? Double ?? -1) > 0)
    }

    @Test func `is not asked for, and nothing is said of it`() throws {
        let place = try Workplace()
        let outcome = try place.run(["bench", "--workload", "hello", "--steps", "2", "--json"])
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        #expect(object != nil && object?["profile"] == nil)
    }
}
