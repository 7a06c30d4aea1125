internal import Foundation
internal import TestSupport
internal import Testing
internal import Training

@Suite struct `a run directory` {
    typealias T = RunDirectoryTesting

    @Test func `a new run has its configuration, pretty and with sorted keys`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path + "/deep/er", configuration: T.Settings())
            #expect(run.incarnation == 1)
            #expect(run.notes.isEmpty)
            #expect(try RunDirectory(path + "/deep/er").configuration(as: T.Settings.self) == T.Settings())
            #expect(
                String(decoding: try T.read(path + "/deep/er/run.json"), as: UTF8.self) == """
                    {
                      "lr" : 0.004,
                      "nested" : {
                        "a" : 1,
                        "b" : 2
                      },
                      "steps" : 100
                    }

                    """)
        }
    }

    @Test func `nothing is written over an existing run`() throws {
        try T.withPath { path in
            try T.makeRun(path, to: 2, every: 1)
            let before = try T.names(in: path)
            let error = T.error { try RunDirectory.create(at: path, configuration: T.Settings(lr: 1)) }
            #expect(error?.code == .exists)
            #expect(
                error?.message
                    == "\(path): holds a run; `lockstep resume \(path)` goes on with it, another --run begins a new one"
            )
            #expect(try T.names(in: path) == before)
            #expect(try RunDirectory(path).configuration(as: T.Settings.self) == T.Settings())
        }
    }

    @Test func `a directory with something else in it is left as it is`() throws {
        try T.withPath { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try T.write([1], to: path + "/notes.txt")
            let error = T.error { try RunDirectory.create(at: path, configuration: T.Settings()) }
            #expect(error?.code == .exists)
            #expect(error?.message.contains(#"holds "notes.txt" and no run"#) == true)
            #expect(try T.names(in: path) == ["notes.txt"])
        }
    }

    @Test func `what a process left that died while it made a run is no obstacle`() throws {
        try T.withPath { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try T.write([], to: path + "/lock")
            try T.write(Array("{".utf8), to: path + "/.tmp-run.json")
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            #expect(try run.directory.configuration(as: T.Settings.self) == T.Settings())
            #expect(try T.names(in: path) == ["incarnation", "lock", "run.json"])
        }
    }

    @Test func `half a run, no run and no directory get one sentence each`() throws {
        try T.withPath { path in
            #expect(
                T.error { try RunDirectory(path) }?.message
                    == "\(path): there is no such run; expected the directory of one")
            try T.write([], to: path)
            #expect(
                T.error { try RunDirectory(path) }?.message
                    == "\(path): not a directory; expected the directory of a run")
            #expect(
                T.error { try RunDirectory.create(at: path, configuration: T.Settings()) }?.message
                    == "cannot make directory \(path): Not a directory (errno 20); expected a place where a new directory can be made"
            )
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            let half = T.error { try RunDirectory(path) }
            #expect(half?.code == .notARun)
            #expect(half?.message == "\(path): not a run: run.json, which is written first, is missing")
        }
    }

    @Test(arguments: [
        ("", "it is empty; expected JSON"), ("{", "it is not JSON"), ("[]", "the value is not an object"),
        ("{}", "`lr` is missing"),
        (#"{"lr":"x","steps":1,"nested":{}}"#, "`lr` is not a number"),
        (#"{"lr":1,"steps":-1,"nested":{}}"#, "a number in it does not fit its place"),
        (#"{"lr":1,"steps":1,"nested":{"a":[]}}"#, "`nested.a` is not a whole number in its range"),
    ])
    func `settings that cannot be read are named`(_ text: String, _ expected: String) throws {
        try T.withPath { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try T.write(Array(text.utf8), to: path + "/run.json")
            let error = T.error { try RunDirectory(path).configuration(as: T.Settings.self) }
            #expect(error?.code == .damaged)
            #expect(error?.message.hasPrefix("\(path)/run.json: ") == true)
            #expect(error?.message.contains(expected) == true, "\(error?.message ?? "none")")
            #expect(error?.message.contains("\n") == false)
        }
    }

    @Test func `a place where nothing can be made is named with the system's words`() throws {
        let error = try #require(T.error { try RunDirectory.create(at: "/sys/lockstep", configuration: T.Settings()) })
        #expect(error.code == .denied)
        #expect(error.message.hasPrefix("cannot make directory /sys"))
    }

    @Test func `one process holds a run and the other is told which`() throws {
        try T.withPath { path in
            var first: HeldRun? = try RunDirectory.create(at: path, configuration: T.Settings())
            let error = T.error { try RunDirectory(path).hold() }
            #expect(error?.code == .held)
            #expect(error?.message.hasPrefix("\(path): held by process \(getpid()) on host ") == true)
            #expect(error?.message.contains("\n") == false)
            withExtendedLifetime(first) {}
            first = nil
            #expect(try RunDirectory(path).hold().incarnation == 2)
        }
    }

    @Test(arguments: [true, false])
    func `a holder that stands still is named with what continues it`(isSupervised: Bool) throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            // Its parent, this process, is another program, as whatever adopts a process is whose supervisor has died.
            let holder = try ChildProcess(
                "/bin/sh", ["-c", "kill -STOP $$", "holder"] + (isSupervised ? ["--supervised"] : []),
                environment: ProcessInfo.processInfo.environment, output: "/dev/null", errors: nil)
            defer {
                kill(holder.identifier, SIGKILL)
                _ = holder.wait()
            }
            let lock = try String(contentsOfFile: "\(path)/lock", encoding: .utf8)
            try lock.replacing("\"pid\":\(getpid())", with: "\"pid\":\(holder.identifier)").write(
                toFile: "\(path)/lock", atomically: false, encoding: .utf8)
            var message = ""
            for _ in 0..<1000 where !message.contains("stopped") {
                message = T.error { try RunDirectory(path).hold() }?.message ?? ""
                usleep(10_000)
            }
            let end =
                isSupervised
                ? ", which was stopped after its supervisor had died: kill -CONT \(holder.identifier) lets it save and end"
                : ", which is stopped: kill -CONT \(holder.identifier) lets it go on"
            #expect(message.hasPrefix("\(path): held by process \(holder.identifier) on host "), "\(message)")
            #expect(message.hasSuffix("\(end); one process at a time can train a run"), "\(message)")
            withExtendedLifetime(run) {}
        }
    }

    @Test func `a lock held by another program is respected`() throws {
        try T.withPath { path in
            try T.makeRun(path, to: 1, every: 1)
            let output = path + ".held"
            defer { try? FileManager.default.removeItem(atPath: output) }
            let holder = try ChildProcess(
                "/usr/bin/flock", ["--no-fork", path + "/lock", "sh", "-c", "echo held; exec sleep 60"],
                environment: ProcessInfo.processInfo.environment, output: output, errors: nil)
            while holder.isRunning, (try? T.read(output)) != Array("held\n".utf8) { usleep(1000) }
            #expect(T.error { try RunDirectory(path).hold() }?.code == .held)
            kill(holder.identifier, SIGKILL)
            #expect(holder.wait() == SIGKILL)
        }
    }

    @Test func `a run that was moved away or replaced while it was held writes nothing to what lies there now`() throws
    {
        try T.withPath { path in
            try T.makeRun(path, to: 2, every: 1)
            let (moved, run) = (path + ".moved", try RunDirectory(path).hold())
            defer { try? FileManager.default.removeItem(atPath: moved) }
            let resumption = try run.resume()
            try FileManager.default.moveItem(atPath: path, toPath: moved)
            let gone = T.error { try run.writeCheckpoint(T.files(2), after: resumption.ledger) }
            #expect(gone?.message.hasPrefix("\(path): moved, removed or replaced while the run was held") == true)
            try T.makeRun(path, to: 1, every: 1)
            let before = try FileManager.default.subpathsOfDirectory(atPath: path).sorted()
            let replaced = T.error { try run.writeCheckpoint(T.files(2), after: resumption.ledger) }
            #expect(replaced?.message.hasPrefix("\(path): moved, removed or replaced") == true)
            #expect(try FileManager.default.subpathsOfDirectory(atPath: path).sorted() == before)
        }
    }

    @Test func `an incarnation that is damaged anywhere is not taken for another, nor begun anew`() throws {
        try T.withPath { path in
            try T.makeRun(path, to: 1, every: 1)
            for _ in 2...12 { _ = try RunDirectory(path).hold() }
            let whole = try T.read(path + "/incarnation")
            #expect(whole.starts(with: Array("12 ".utf8)) && whole.last == UInt8(ascii: "\n"))
            var damaged = whole.indices.map { Array(whole.prefix($0)) } + [Array("x\n".utf8), whole + whole]
            for place in whole.indices {
                for bit in 0..<8 {
                    var bytes = whole
                    bytes[place] ^= 1 << bit
                    damaged.append(bytes)
                }
            }
            for bytes in damaged {
                try T.write(bytes, to: path + "/incarnation")
                let error = T.error { try RunDirectory(path).hold() }
                #expect(error?.code == .damaged, "\(bytes)")
                #expect(error?.message.hasPrefix("\(path)/incarnation: got ") == true, "\(bytes)")
                #expect(error?.message.contains("expected a whole number and its checksum") == true)
                #expect(try T.read(path + "/incarnation") == bytes)
            }
            // As earlier versions wrote it.
            try T.write(Array("40\n".utf8), to: path + "/incarnation")
            #expect(try RunDirectory(path).hold().incarnation == 41)
            #expect(try RunDirectory(path).hold().incarnation == 42)
        }
    }

    @Test func `an incarnation that is gone or older than the lock's is counted on from there, never begun anew`()
        throws
    {
        try T.withPath { path in
            try T.makeRun(path, to: 1, every: 1)
            for _ in 2...4 { _ = try RunDirectory(path).hold() }
            let old = try T.read(path + "/incarnation")
            try FileManager.default.removeItem(atPath: path + "/incarnation")
            let run = try RunDirectory(path).hold()
            #expect(run.incarnation == 5)
            #expect(
                run.notes == [
                    "\(path)/incarnation: missing; written again from the lock file, which says that the last was 4"
                ])
            try T.write(old, to: path + "/incarnation")
            #expect(run.incarnation == 5)
        }
        try T.withPath { path in
            try T.makeRun(path, to: 1, every: 1)
            let old = try T.read(path + "/incarnation")
            for _ in 2...3 { _ = try RunDirectory(path).hold() }
            try T.write(old, to: path + "/incarnation")
            #expect(try RunDirectory(path).hold().incarnation == 4)
            // The lock alone may be removed: it looks as if it had been left behind.
            try FileManager.default.removeItem(atPath: path + "/lock")
            #expect(try RunDirectory(path).hold().incarnation == 5)
            // As an earlier version left it, or damaged in any bit.
            let lock = try T.read(path + "/lock")
            let text = String(decoding: lock, as: UTF8.self)
            try FileManager.default.removeItem(atPath: path + "/incarnation")
            for bytes in [Array(text.replacing("\"5 ", with: "\"4 ").utf8), Array("{}\n".utf8), []] {
                #expect(bytes != lock)
                try T.write(bytes, to: path + "/lock")
                let error = T.error { try RunDirectory(path).hold() }
                #expect(error?.code == .damaged && error?.isBadInput == true)
                #expect(
                    error?.message.hasPrefix(
                        "\(path)/incarnation: missing, and so is its number in the lock file, although ledger.jsonl says "
                    )
                        == true, "\(error?.message ?? "none")")
                #expect(!FileManager.default.fileExists(atPath: path + "/incarnation"))
            }
            try T.write(Array("1000000\n".utf8), to: path + "/incarnation")
            #expect(try RunDirectory(path).hold().incarnation == 1_000_001)
        }
    }

    @Test func `an incarnation that no run comes to is refused, in the file as in the lock`() throws {
        try T.withPath { path in
            try T.makeRun(path, to: 1, every: 1)
            let (file, lock) = (try T.read(path + "/incarnation"), try T.read(path + "/lock"))
            for number in [UInt64.max, .max - 1, 1 << 53, 1 << 52 + 1] {
                try T.write(Array("\(number)\n".utf8), to: path + "/incarnation")
                let error = T.error { try RunDirectory(path).hold() }
                #expect(error?.code == .damaged)
                #expect(
                    error?.message
                        == "\(path)/incarnation: got \(number), which no run comes to; expected at most \(1 << 52), as the run's last holder wrote it; one above all that held the run does as well, for instance 1000000, alone on its line"
                )
                try T.write(file, to: path + "/incarnation")
                let holder = #"{"host":"h","incarnation":"\#(number)","pid":1,"since":"x"}"#
                for left in [true, false] {
                    try T.write(Array(holder.utf8), to: path + "/lock")
                    if !left { try FileManager.default.removeItem(atPath: path + "/incarnation") }
                    let error = T.error { try RunDirectory(path).hold() }
                    #expect(error?.code == .damaged)
                    #expect(
                        error?.message.hasPrefix(
                            "\(path)/lock: `incarnation` is \(number), which no run comes to; expected at most ")
                            == true,
                        "\(error?.message ?? "none")")
                    try T.write(file, to: path + "/incarnation")
                    // It says so for as long as the number is there.
                    #expect(T.error { try RunDirectory(path).hold() }?.message == error?.message)
                }
                try T.write(lock, to: path + "/lock")
            }
            // What is taken once is taken again.
            try T.write(Array("\(1 << 52)\n".utf8), to: path + "/incarnation")
            for further in 1...3 { #expect(try RunDirectory(path).hold().incarnation == 1 << 52 + UInt64(further)) }
        }
    }

    @Test func `a run that nobody came to hold has its first incarnation`() throws {
        try T.withPath { path in
            try T.makeRun(path, to: 1, every: 1)
            for name in try T.names(in: path) where name != "run.json" {
                try FileManager.default.removeItem(atPath: "\(path)/\(name)")
            }
            #expect(try RunDirectory(path).hold().incarnation == 1)
        }
    }

    @Test func `the names of directories that are made for a run are brought to the disk`() throws {
        try T.withPath { path in
            let recorder = Recorder()
            let parent = (path as NSString).deletingLastPathComponent
            try FileFaults.$observer.withValue(recorder) {
                _ = try RunDirectory.create(at: path + "/a/b/run", configuration: T.Settings())
            }
            for made in [path, path + "/a", path + "/a/b", path + "/a/b/run"] {
                let index = try #require(recorder.operations.firstIndex(of: .makeDirectory(made)))
                let above = made == path ? parent : (made as NSString).deletingLastPathComponent
                #expect(recorder.operations[index...].contains(.synchronizeDirectory(above)), "\(made)")
            }
        }
    }

    @Test func `a summary has every promised member, whatever its numbers`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            #expect(try run.directory.summary() == nil)
            let summary = RunSummary(
                run: path, steps: 7, trainLoss: .infinity, validationLoss: nil, tokensPerSecond: 0.5, seconds: 2,
                parameters: 3, parametersSHA256: "ab", ledgerHead: "cd", workersSeen: 2, workersLost: 1)
            try run.writeSummary(summary)
            #expect(try run.directory.summary() == summary)
            #expect(
                try summary.json() == """
                    {
                      "ledger_head" : "cd",
                      "parameters" : 3,
                      "parameters_sha256" : "ab",
                      "run" : "\(path)",
                      "seconds" : 2,
                      "steps" : 7,
                      "tokens_per_second" : 0.5,
                      "train_loss" : "Infinity",
                      "validation_loss" : null,
                      "workers_lost" : 1,
                      "workers_seen" : 2
                    }

                    """)
            var scored = summary
            scored.score = .nan
            scored.scoreName = "exact match"
            try run.writeSummary(scored)
            #expect(try run.directory.summary()?.score?.isNaN == true)
            #expect(try run.directory.summary()?.scoreName == "exact match")
        }
    }
}
