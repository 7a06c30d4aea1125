import Foundation
import Testing

private let small = [
    "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--seq-len", "12", "--validation-every",
    "1000",
    "--checkpoint-every", "400", "--json",
]

/// What a command has left in a place that is its `TMPDIR`, and in the run there.
private struct Traces {
    let path: String

    var environment: [String: String] { ["TMPDIR": path] }

    /// Socket directories, and processes that live.
    private var leftovers: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasPrefix("lockstep-") } + ProcessTable.living(in: path).map { "process \($0)" }
    }

    /// What is still there after processes had time to end by themselves.
    func remaining() -> [String] {
        for _ in 0..<200 where !leftovers.isEmpty { usleep(20_000) }
        return leftovers
    }

    func remainingProcesses() -> [String] {
        for _ in 0..<200 where !ProcessTable.living(in: path).isEmpty { usleep(20_000) }
        return leftovers.filter { $0.hasPrefix("process") }
    }

    func content(_ name: String) -> String {
        (try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)) ?? ""
    }

    /// Whether the newest checkpoint is of the ledger's last step.
    var isSaved: Bool {
        let steps = content("run/ledger.jsonl").split(separator: "\n").count
        return steps > 0 && content("run/latest").contains("\(steps)")
    }

    /// Waits until both workers have joined and about so many steps are done.
    func isTraining(_ process: RunningProcess, after steps: Int = 1) -> Bool {
        process.wait {
            process.errors.components(separatedBy: "joined").count > 2
                && content("run/ledger.jsonl").utf8.count > 200 * steps
        }
    }
}

extension Workplace {
    fileprivate var traces: Traces { Traces(path: path) }

    /// Starts a training of two workers that leaves traces.
    fileprivate func supervise(_ common: [String]) throws -> RunningProcess {
        try start(["train"] + common + ["--run", "\(path)/run", "--workers", "2"], environment: traces.environment)
    }

    fileprivate func expected(_ common: [String]) throws -> String {
        let hash = try run(["train"] + common + ["--run", "\(path)/alone"]).member("parameters_sha256")
        #expect(hash.count == 64)
        return hash
    }

    /// Resumes the supervised run with one worker, and expects what it is to come to.
    fileprivate func expectResumed(to expected: String) throws {
        let outcome = try run(
            ["resume", "\(path)/run", "--workers", "1", "--json"], environment: traces.environment)
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome)")
    }
}

extension RunningProcess {
    /// Kills supervisor and coordinator at once, while a worker stands still.
    fileprivate func killWhole(while worker: Int32) throws {
        kill(worker, SIGSTOP)
        let coordinator = try #require(coordinator)
        signal(SIGKILL)
        kill(coordinator, SIGKILL)
        _ = wait()
    }
}

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A supervised run` {
    @Test func `goes on when its coordinator is killed, and ends with the bits of one that lived`() throws {
        let place = try Workplace()
        let traces = place.traces
        let common = ["--data", try place.text(), "--steps", "3000"] + small
        let expected = try place.expected(common)
        let process = try place.supervise(common)
        for death in 1...2 {
            #expect(process.wait { traces.content("run/incarnation").hasPrefix("\(death) ") })
            #expect(traces.isTraining(process))
            usleep(UInt32.random(in: 0..<150_000))
            if let coordinator = process.coordinator { kill(coordinator, SIGKILL) }
            #expect(process.wait { process.errors.components(separatedBy: "is started again").count > death })
        }
        let outcome = process.wait()
        #expect(outcome.code == 0 && outcome.member("parameters_sha256") == expected, "\(outcome)")
        #expect(traces.content("run/incarnation").hasPrefix("3 "))
        // Every coordinator has had workers of its own.
        let seen = try #require(Int(outcome.member("workers_seen")))
        #expect(outcome.member("incarnations") == "3" && (4...6).contains(seen), "\(outcome)")
        #expect(traces.remaining() == [])
        #expect(try place.run(["diff", "\(place.path)/run", "\(place.path)/alone"]).code == 0)
    }

    @Test(arguments: [4, 5])
    func `is given up after five deaths without a new step, and not before`(deaths: Int) throws {
        let place = try Workplace()
        let traces = place.traces
        let common = ["--data", try place.text(), "--steps", "30"] + small
        let orders = (1...deaths).map { "before-step:1:\(place.path)/mark-\($0)" }.joined(separator: ",")
        let outcome = try place.run(
            ["train"] + common + ["--run", "\(place.path)/run", "--workers", "1"],
            environment: traces.environment.merging(["LOCKSTEP_CRASH_AT": orders]) { $1 })
        if deaths < 5 {
            #expect(outcome.member("parameters_sha256") == (try place.expected(common)), "\(outcome)")
        } else {
            #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
            #expect(outcome.errors.contains("5 times in a row without a new step; given up"), "\(outcome)")
            #expect(outcome.errors.contains("lockstep resume \(place.path)/run"), "\(outcome)")
        }
        #expect(traces.remaining() == [])
    }

    /// Whatever is missed first: a file at a checkpoint, the place of a summary, the whole directory.
    @Test(arguments: ["1", "1000000"], ["rm -r run", "rm run/ledger.jsonl; sleep 0.2; rm -r run", "mv run gone"])
    func `ends with one sentence when its directory is removed`(between: String, removal: String) throws {
        let place = try Workplace()
        let process = try place.start([
            "train", "--data", try place.text(), "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16",
            "--seq-len", "12", "--checkpoint-every", between, "--steps", "1000000", "--run", "\(place.path)/run",
        ])
        #expect(process.wait { place.traces.content("run/ledger.jsonl").utf8.count > 20_000 })
        // Where the run makes files meanwhile, `rm` finds a directory that is not empty.
        _ = try place.shell("\(removal); rm -rf run")
        if between != "1" { process.signal(SIGTERM) }
        let outcome = process.wait()
        let sentence =
            "lockstep: \(place.path)/run: moved, removed or replaced while the run was held; expected the directory that it was in, and nothing was written to what lies there now\n"
        #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.errors.hasSuffix(sentence), "\(outcome)")
    }

    @Test func `passes on an end that the coordinator chose`() throws {
        let place = try Workplace()
        let common = ["train", "--set", "hello", "--workers", "2", "--run", "\(place.path)/run"]
        let wrong = try place.run(common + ["--lr", "-1"])
        #expect(wrong.code == 2 && wrong.errors.filter { $0 == "\n" }.count == 1, "\(wrong)")
        let first = try place.start(common + ["--steps", "4000000"])
        #expect(first.wait { first.errors.contains("step ") })
        let second = try place.run(["resume", "\(place.path)/run", "--workers", "1"])
        #expect(second.code == 4 && second.errors.filter { $0 == "\n" }.count == 1, "\(second)")
        // The same for whoever means to begin it once more, with workers or without.
        for arguments in [common, Array(common[0...2]) + common[5...]] {
            let third = try place.run(arguments)
            let holder = "held by process \(try #require(first.coordinator)) on host"
            #expect(third.code == 4 && third.errors.contains(holder), "\(third)")
            #expect(third.errors.filter { $0 == "\n" }.count == 1, "\(third)")
        }
        first.signal(SIGTERM)
        #expect(first.wait().code == 143)
        #expect(try place.run(common).code == 2)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func `takes a signal to its whole group for one, saves and stops`(signal: Int32) throws {
        let place = try Workplace()
        let traces = place.traces
        let common = ["--data", try place.text(), "--steps", "4000000", "--run", "\(place.path)/run", "--workers", "2"]
        // A group of its own, as a terminal gives to a command.
        let group = try RunningProcess(
            "/usr/bin/setsid", ["--wait", Workplace.executable("lockstep"), "train"] + common + small,
            environment: traces.environment, directory: place.path)
        #expect(traces.isTraining(group, after: 50))
        let members = ProcessTable.living(in: place.path).filter { getpgid($0) != getpgrp() }
        let leader = try #require(members.first { getpgid($0) == $0 && $0 != group.identifier } ?? members.first)
        kill(-getpgid(leader), signal)
        let outcome = group.wait()
        #expect(outcome.code == 128 + signal, "\(outcome)")
        #expect(outcome.errors.contains("stopped after step") && !outcome.member("steps").contains("no "), "\(outcome)")
        #expect(traces.isSaved)
        #expect(traces.remaining() == [])
    }

    @Test func `ends at once at a second signal, and can be resumed`() throws {
        let place = try Workplace()
        let traces = place.traces
        let common = ["--data", try place.text(), "--steps", "1500"] + small
        let expected = try place.expected(common)
        let process = try place.supervise(common)
        #expect(traces.isTraining(process))
        // A coordinator that does not answer.
        kill(try #require(process.coordinator), SIGSTOP)
        process.signal(SIGINT)
        usleep(300_000)
        #expect(process.isRunning)
        process.signal(SIGINT)
        let stopped = process.wait()
        #expect(stopped.code == 130 && stopped.output.isEmpty, "\(stopped)")
        #expect(traces.remaining() == [])
        try place.expectResumed(to: expected)
        #expect(traces.remaining() == [])
    }

    /// Stopped once, it saves when it is continued; stopped again and again, it is killed.
    @Test(arguments: [false, true])
    func `is ended by one signal although its coordinator stands still, and is whole`(again: Bool) throws {
        let place = try Workplace()
        let traces = place.traces
        let common = ["--data", try place.text(), "--steps", "1500"] + small
        let expected = try place.expected(common)
        let process = try place.supervise(common)
        #expect(traces.isTraining(process, after: 20))
        let coordinator = try #require(process.coordinator)
        kill(coordinator, SIGSTOP)
        process.signal(SIGTERM)
        while again, process.isRunning, process.coordinator == coordinator {
            kill(coordinator, SIGSTOP)
            usleep(200)
        }
        let stopped = process.wait()
        #expect(stopped.code == 143, "\(stopped)")
        #expect(traces.remainingProcesses() == [])
        if !again { #expect(traces.isSaved && stopped.errors.contains("stopped after step"), "\(stopped)") }
        try place.expectResumed(to: expected)
    }

    @Test func `is saved and stopped by its coordinator when the supervisor is killed`() throws {
        let place = try Workplace()
        let traces = place.traces
        let process = try place.start(
            ["train", "--data", try place.text(), "--steps", "4000000", "--run", "\(place.path)/run", "--workers", "2"]
                + small, environment: traces.environment)
        #expect(traces.isTraining(process, after: 50))
        process.signal(SIGKILL)
        _ = process.wait()
        #expect(traces.remaining() == [])
        #expect(process.errors.contains("stopped after step"), "\(process.errors)")
        #expect(traces.isSaved)
    }

    #if os(Linux)
        @Test(arguments: [false, true])
        func `leaves nothing when the supervisor is killed while the coordinator is stopped`(worker: Bool) throws {
            let place = try Workplace()
            let traces = place.traces
            let common = ["--data", try place.text(), "--steps", "1500"] + small
            let expected = try place.expected(common)
            let process = try place.supervise(common)
            #expect(traces.isTraining(process, after: 20))
            kill(try #require(process.coordinator), SIGSTOP)
            if worker { kill(try #require(process.children.first), SIGSTOP) }
            process.signal(SIGKILL)
            _ = process.wait()
            #expect(traces.remaining() == [])
            #expect(traces.isSaved && process.errors.contains("stopped after step"), "\(process.errors)")
            try place.expectResumed(to: expected)
        }
    #endif

    @Test func `ends with the code of a held run, and the holder, when somebody else has taken the run meanwhile`()
        throws
    {
        let place = try Workplace()
        let common = ["--data", try place.text(), "--steps", "4000000"] + small
        let process = try place.supervise(common)
        #expect(place.traces.isTraining(process, after: 20))
        process.signal(SIGSTOP)
        kill(try #require(process.coordinator), SIGKILL)
        let other = try place.start(["resume", "\(place.path)/run"])
        #expect(other.wait { place.traces.content("run/incarnation").hasPrefix("2 ") })
        process.signal(SIGCONT)
        let outcome = process.wait()
        #expect(
            outcome.code == 4 && outcome.errors.contains("held by process \(other.identifier) on host"), "\(outcome)")
        other.signal(SIGTERM)
        #expect(other.wait().code == 143)
    }

    @Test func `leaves nothing after its next start when all of it is killed at once, a stopped worker included`()
        throws
    {
        let place = try Workplace()
        let traces = place.traces
        let common = ["--data", try place.text(), "--steps", "1500"] + small
        let expected = try place.expected(common)
        let process = try place.supervise(common)
        #expect(traces.isTraining(process))
        try process.killWhole(while: try #require(process.children.first))
        let outcome = try place.run(
            ["resume", "\(place.path)/run", "--workers", "3", "--json"], environment: traces.environment)
        #expect(outcome.member("parameters_sha256") == expected, "\(outcome)")
        #expect(traces.remaining() == [])
    }

    @Test func `ends a stopped worker at its next start, and nobody who only knows where it was connected`() throws {
        let place = try Workplace()
        let traces = place.traces
        let process = try place.supervise(["--data", try place.text(), "--steps", "100000"] + small)
        #expect(traces.isTraining(process))
        let stopped = try #require(process.children.first)
        let words = (FileManager.default.contents(atPath: "/proc/\(stopped)/cmdline") ?? Data()).split(separator: 0)
        let endpoint = try #require(
            words.map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix("ipc://") })
        // Without a parent, as the worker will be.
        let bystanders = try place.shell(
            """
            NOTE='\(endpoint)' sleep 100 >&2 & echo $!
            LOCKSTEP_WORKER_CONNECT='\(endpoint)' sleep 100 >&2 & echo $!
            bash -c 'sleep 100; true' 'notes about \(endpoint)' >&2 & echo $!
            bash -c 'sleep 100; true' worker --connect '\(endpoint)' >&2 & echo $!
            """
        ).output.split(separator: "\n").compactMap { Int32($0) }
        #expect(bystanders.count == 4)
        defer { for bystander in bystanders { kill(bystander, SIGKILL) } }
        try process.killWhole(while: stopped)
        let next = try place.run(
            ["train", "--set", "hello", "--steps", "2", "--run", "\(place.path)/next"], environment: traces.environment)
        #expect(next.code == 0, "\(next)")
        #expect(ProcessTable.parents()[stopped] == nil)
        for bystander in bystanders { #expect(ProcessTable.parents()[bystander] != nil) }
    }

    @Test func `trains when standard input, output or error are closed`() throws {
        let place = try Workplace()
        let traces = place.traces
        let common = "'\(Workplace.executable("lockstep"))' train --set hello --steps 60 --workers 2 --json"
        let silent = try place.shell("\(common) --run silent 2>&-")
        #expect(silent.code == 0 && silent.member("steps") == "60", "\(silent)")
        #expect(try place.shell("\(common) --run deaf <&-").member("steps") == "60")
        let mute = try place.shell("\(common) --run mute >&-")
        #expect(mute.code == 1 && mute.errors.contains("standard output"), "\(mute)")
        #expect(traces.content("mute/summary.json").contains("\"steps\" : 60"))
    }
}
