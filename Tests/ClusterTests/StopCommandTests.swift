import Foundation
import TestSupport
import Testing

/// The end of a stream whose reader takes nothing.
private enum DeafReader: String, CaseIterable {
    /// A pipe that is full.
    case pipe
    /// A terminal that Ctrl-S has halted.
    case terminal

    /// Where to write to it, which does nothing as long as `descriptors` are open.
    func open(in directory: String) throws -> (path: String, descriptors: [Int32]) {
        switch self {
        case .pipe:
            let path = "\(directory)/pipe"
            try #require(unsafe mkfifo(path, 0o600) == 0)
            let reading = unsafe Foundation.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            // Not blocking for this opening of it alone.
            let writing = unsafe Foundation.open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            try #require(reading >= 0 && writing >= 0)
            return (path, [reading, writing])
        case .terminal:
            let master = unsafe Foundation.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            var (number, isLocked): (UInt32, Int32) = (0, 0)
            // TIOCSPTLCK and TIOCGPTN, which Swift does not import.
            try #require(master >= 0)
            let isOpen =
                unsafe ioctl(master, 0x4004_5431, &isLocked) == 0 && ioctl(master, 0x8004_5430, &number) == 0
            try #require(isOpen)
            let path = "/dev/pts/\(number)"
            let slave = unsafe Foundation.open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
            try #require(slave >= 0)
            return (path, [master, slave])
        }
    }

    /// Lets it take nothing from now on.
    func goDeaf(_ descriptors: [Int32]) {
        switch self {
        case .pipe:
            let byte: [UInt8] = [UInt8(ascii: "x")]
            while unsafe byte.withUnsafeBytes({ unsafe write(descriptors[1], $0.baseAddress, 1) }) == 1 {}
        case .terminal: #expect(tcflow(descriptors[1], TCOOFF) == 0)
        }
    }
}

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A run that is stopped` {
    private static let training = [
        "train", "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--seq-len", "12",
        "--validation-every", "1000", "--checkpoint-every", "100000", "--steps", "4000000", "--threads", "1",
    ]

    private func lines(of run: String) -> Int {
        ((try? String(contentsOfFile: "\(run)/ledger.jsonl", encoding: .utf8)) ?? "").count { $0 == "\n" }
    }

    /// Waits for what is to come; false when it does not come in a minute.
    private func comes(_ condition: () -> Bool) -> Bool {
        for _ in 0..<6000 {
            if condition() { return true }
            usleep(10_000)
        }
        return false
    }

    @Test(arguments: DeafReader.allCases, [0, 2])
    fileprivate func `is saved and ends although nobody takes what it says`(reader: DeafReader, workers: Int) throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        let (path, descriptors) = try reader.open(in: place.path)
        defer { for descriptor in descriptors { close(descriptor) } }
        _ = FileManager.default.createFile(atPath: "\(place.path)/out", contents: nil)
        let process = try ChildProcess(
            Workplace.executable("lockstep"),
            Self.training + ["--data", try place.text(), "--run", run, "--workers", "\(workers)"],
            environment: ProcessInfo.processInfo.environment, output: "\(place.path)/out", errors: path)
        #expect(comes { lines(of: run) > 20 })
        reader.goDeaf(descriptors)
        kill(process.identifier, SIGTERM)
        let isOver = comes { !process.isRunning }
        #expect(isOver)
        if !isOver { kill(-process.identifier, SIGKILL) }
        #expect(process.wait() == 143)
        let latest = try? String(contentsOfFile: "\(run)/latest", encoding: .utf8)
        #expect(latest == "\(lines(of: run))\n")
        #expect(try String(contentsOfFile: "\(place.path)/out", encoding: .utf8).contains("parameters_sha256"))
    }

    @Test(arguments: ["| true", "> /dev/full", ">&-"], [0, 2])
    func `says so by its exit code although its summary cannot be printed`(output: String, workers: Int) throws {
        let place = try Workplace()
        let command = (["'\(Workplace.executable("lockstep"))'"] + Self.training).joined(separator: " ")
        let outcome = try place.shell(
            """
            { \(command) --data '\(try place.text())' --run run --workers \(workers) & process=$!
            until [ -s run/ledger.jsonl ]; do sleep 0.05; done
            kill -TERM $process; wait $process; echo "code $?" >&2; } \(output)
            """)
        #expect(outcome.errors.hasSuffix("code 143\n"), "\(outcome)")
        #expect(outcome.errors.contains("cannot write to standard output") == (output != "| true"), "\(outcome)")
    }

    @Test func `ends at once when Ctrl-C is held down, though its coordinator stands still`() throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        let process = try place.start(
            Self.training + ["--data", try place.text(), "--run", run, "--workers", "1"])
        #expect(comes { lines(of: run) > 20 })
        kill(try #require(process.coordinator), SIGSTOP)
        while process.isRunning {
            process.signal(SIGINT)
            usleep(50_000)
        }
        let outcome = process.wait()
        #expect(outcome.code == 130 && outcome.output.isEmpty, "\(outcome)")
        // As after a single signal.
        #expect(!outcome.errors.contains("stands still"), "\(outcome)")
    }

    /// As a terminal's Ctrl-\ sends it. Swift's runtime makes a crash of it, where it is not told otherwise.
    @Test(arguments: [0, 2])
    func `by SIGQUIT ends at once without a word, and can be resumed`(workers: Int) throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        let process = try place.start(
            Self.training + ["--data", try place.text(), "--run", run, "--workers", "\(workers)"],
            environment: ["SWIFT_BACKTRACE": "enable=yes,color=no", "TMPDIR": place.path])
        #expect(comes { lines(of: run) > 20 })
        kill(-process.identifier, SIGQUIT)
        let outcome = process.wait()
        #expect(outcome.code == SIGQUIT && outcome.output.isEmpty, "\(outcome)")
        #expect(!outcome.errors.contains("crash"), "\(outcome)")
        #expect(comes { ProcessTable.living(in: place.path).isEmpty })
        let resumed = try place.start(["resume", run])
        #expect(resumed.wait { resumed.errors.contains("going on") })
        resumed.signal(SIGTERM)
        #expect(resumed.wait().code == 143)
    }
}

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A run without a name` {
    private static let training =
        "'\(Workplace.executable("lockstep"))' train --set hello --steps 50 --threads 1 --json"

    @Test func `gets a directory of its own, though others begin at the same time`() throws {
        let place = try Workplace()
        let outcome = try place.shell(
            "for i in 1 2 3 4; do { \(Self.training) > out$i; echo code $?; } & done; wait; ls runs")
        let names = (1...4).map { "hello-lstm-\($0)\n" }.joined()
        #expect(outcome.output == String(repeating: "code 0\n", count: 4) + names, "\(outcome)")
    }

    @Test func `keeps its directory when its coordinator dies before it has begun`() throws {
        let place = try Workplace()
        let outcome = try place.shell(
            "LOCKSTEP_CRASH_AT=run-locked:0:mark \(Self.training) --workers 1 > out; echo code $?; ls mark; ls -A runs")
        #expect(outcome.output == "code 0\nmark\nhello-lstm-1\n", "\(outcome)")
        #expect(try place.shell("ls -A runs/*").output.contains("summary.json"))
    }

    @Test func `leaves no directory when it cannot begin`() throws {
        let place = try Workplace()
        let outcome = try place.shell(
            "\(Self.training) --run first > out; \(Self.training) --hidden-size 7 --init-from first/checkpoints/step-00000050/parameters.safetensors; echo code $?; ls runs"
        )
        #expect(outcome.output == "code 2\n" && outcome.errors.contains("runs"), "\(outcome)")
    }
}
