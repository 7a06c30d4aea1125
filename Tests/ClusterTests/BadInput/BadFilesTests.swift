import Foundation
import Testing

/// Files that are no texts, and what is said of them wherever a text is wanted.
private let badTexts: [BadInput] =
    [
        ("empty", "is empty"), ("pipe", "is a pipe, a socket or a device"), ("directory", "is a directory"),
        ("missing", "No such file"), ("loop", "symbolic links"), ("huge", "10737418240"), ("text/x", "Not a directory"),
    ].flatMap { file, sentence in
        [
            BadInput("train --data @\(file) --run @new", says: file, sentence),
            BadInput("coordinator --bind ipc://@place/s --data @\(file) --run @new", says: file, sentence),
            BadInput("evaluate @run --data @\(file)", says: file, sentence),
        ]
    } + [
        .init("train --data @one --run @new", says: "holds only one symbol"),
        .init("train --data @latin1 --run @new", says: "is not valid UTF-8 at byte offset 3 (0xE9)"),
        .init("train --data @short --run @new", says: "a sequence length of 64 needs one more"),
        .init("train --data @short --stream --run @new", says: "short"),
        .init("train --data '' --run @new", says: "--data '': expected a text file"),
        .init("train --data /dev/zero --run @new", says: "a device"),
        .init("train --data /proc/self/mem --run @new", says: "is empty"),
        .init("evaluate @run --data @latin1", says: "is not among the 12 symbols"),
        .init("evaluate @run --data /dev/null", says: "a device"),
    ]

/// Files that are not the parameters of the model, where such are wanted.
private let badParameters: [BadInput] =
    [
        ("empty", "expected at least 8"), ("pipe", "not a regular file"), ("directory", "Is a directory"),
        ("missing", "No such file"), ("loop", "symbolic links"), ("huge", "header byte 0"), ("text", "a header of"),
        ("noise.safetensors", "a header of 18446744073709551615 bytes"),
    ].flatMap { file, sentence in
        [
            BadInput("train --set hello --init-from @\(file) --run @new", says: "--init-from", sentence),
            BadInput("lesson gru --initial @\(file)", says: "--initial", sentence),
        ]
    } + [
        .init(
            "train --set hello --init-from @huge.safetensors --run @new", says: "10737418321 bytes", "expected at most"),
        .init(
            "train --set hello --init-from @run/checkpoints/step-00000002/optimizer.safetensors --run @new",
            says: "holds \"exp_avg."),
        .init("train --set hello --init-from '' --run @new", says: "--init-from ''"),
    ]

/// Places where no run can be made.
private let badPlaces: [BadInput] = [
    ("@text", "Not a directory"), ("@text/run", "Not a directory"), ("@pipe", "Not a directory"),
    ("/proc/run", "No such file"),
    ("@loop/run", "symbolic links"), ("@place/\(String(repeating: "x", count: 300))", "File name too long"),
    ("@run", "lockstep resume"), ("@directory/../run/checkpoints", "expected a directory that is empty"),
].map { place, sentence in BadInput("train --set hello --steps 3 --run \(place)", says: sentence) }

/// Directories that hold no keys.
private let badKeys: [BadInput] = [
    .init("worker --connect tcp://127.0.0.1:1 --keys @missing", says: "missing"),
    .init("worker --connect tcp://127.0.0.1:1 --keys @text", says: "text"),
    .init("worker --connect tcp://127.0.0.1:1", says: "/dev/null", environment: ["LOCKSTEP_KEYS": "/dev/null"]),
    .init("coordinator --bind tcp://127.0.0.1:* --keys @directory --set hello --run @new", says: "directory"),
    .init("coordinator --bind tcp://127.0.0.1:* --keys @pipe --set hello --run @new", says: "pipe"),
    .init("coordinator --bind ipc://@place/s --keys @pipe --set hello --run @new", says: "pipe"),
    .init("worker --connect tcp://127.0.0.1:1 --keys ''", says: "--keys ''", "expected a directory"),
    .init("keys new ''", says: "keys ''", "expected a directory"), .init("keys new @text", says: "text"),
    .init("keys new @missing/keys", says: "No such file"), .init("keys new @pipe", says: "pipe"),
    .init("keys new @place/\(String(repeating: "x", count: 300))", says: "File name too long"),
    .init("keys new \u{7}\u{1B}[2J/x", says: #"\u{07}\u{1B}[2J"#), .init("keys list ''", says: "keys ''"),
    .init("keys add '' second", says: "keys ''"), .init("keys revoke @missing second", says: "missing"),
    .init("keys list @directory", says: "directory"),
]

/// Names that no worker can have.
private let badNames: [String] = [
    "", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a b", "a\nb", "a\tb", "\u{1B}[2J", "schl\u{FC}ssel",
    "\u{202E}abc", "\u{2028}", "😀", "a\u{301}", String(repeating: "x", count: 65), String(repeating: "x", count: 300),
    "a*", "$HOME",
]

@Suite(.tags(.processes), .timeLimit(.minutes(5)))
struct `A file is answered with one line and exit code 2` {
    @Test(arguments: badTexts) func `that is no text`(input: BadInput) throws { try input.expectRefusal() }

    @Test(arguments: badParameters) func `that is not the model's parameters`(input: BadInput) throws {
        try input.expectRefusal()
    }

    @Test(arguments: ["train --set hello --run @new --init-from", "lesson gru --initial"])
    func `whose tensors have names that are longer than a line, which are cut`(line: String) throws {
        let place = try Workplace()
        let name = String(repeating: "x", count: 90_000)
        let header = #"{"\#(name)":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
        let file = "\(place.path)/long.safetensors"
        try Data(length + Array(header.utf8) + [0, 0, 0, 0]).write(to: URL(fileURLWithPath: file))
        let words = try line.split(separator: " ").map { try Wrecks.shared.resolve(String($0), place.path) }
        let outcome = try place.run(words + [file])
        expect(refused: outcome)
        #expect(
            outcome.errors.contains(name.prefix(100) + "…") && outcome.errors.count < 1000, "\(outcome.errors.count)")
    }

    @Test(arguments: badKeys) func `that is no directory of keys`(input: BadInput) throws { try input.expectRefusal() }

    @Test func `whose keys are to be a worker's of no name, or of an odd one, and nothing is written`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let before = try FileManager.default.subpathsOfDirectory(atPath: keys).sorted()
        for name in badNames {
            for command in ["add", "revoke"] {
                let outcome = try place.run(["keys", command, keys, "--", name])
                expect(refused: outcome)
                #expect(outcome.errors.contains("expected 1 to 64 letters"), "\(outcome.errors)")
                #expect(
                    outcome.errors.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 }, "\(outcome.errors)")
            }
        }
        #expect(try FileManager.default.subpathsOfDirectory(atPath: keys).sorted() == before)
    }

    @Test(arguments: badPlaces) func `in whose place no run can be made`(input: BadInput) throws {
        try input.expectRefusal()
    }

    @Test(arguments: ["train --data @huge --run @new", "train --set hello --init-from @huge.safetensors --run @new"])
    func `that is larger than the memory it may take`(line: String) throws {
        let place = try Workplace()
        let words = try line.split(separator: " ").map { "'\(try Wrecks.shared.resolve(String($0), place.path))'" }
        // Kilobytes of address space: far less than the file's ten million.
        let outcome = try place.shell(
            "ulimit -v 4000000; '\(Workplace.executable("lockstep"))' \(words.joined(separator: " "))")
        expect(refused: outcome)
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/new"))
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `of parameters of which one is no number`(value: Float) throws {
        let place = try Workplace()
        let whole = try Wrecks.shared.resolve("@run/checkpoints/step-00000006/parameters.safetensors", place.path)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: whole))
        // The last value of the last tensor by name, of the widths that the run was given.
        for (place, byte) in unsafe withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init).enumerated() {
            bytes[bytes.count - 4 + place] = byte
        }
        let file = "\(place.path)/bad.safetensors"
        try bytes.write(to: URL(fileURLWithPath: file))
        let text = try Wrecks.shared.resolve("@text", place.path)
        for command in [
            ["train", "--data", text, "--hidden-size", "8", "--init-from", file, "--run", "\(place.path)/run"],
            ["lesson", "gru", "--initial", file],
        ] {
            let outcome = try place.run(command)
            expect(refused: outcome)
            #expect(
                outcome.errors.contains(
                    "\(file): tensor \"recurrent.weight_ih_l1\": \(value) at [31, 7]; expected finite"),
                "\(outcome.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }

    @Test func `that has changed since the run began`() throws {
        let place = try Workplace()
        let file = try place.text()
        let common = ["--hidden-size", "8", "--batch-size", "8", "--seq-len", "8", "--threads", "1"]
        let run = "\(place.path)/run"
        let process = try place.start(["train", "--data", file, "--steps", "4000000", "--run", run] + common)
        #expect(process.wait { process.errors.contains("step ") })
        // Under its feet: the run goes on with what it has read.
        try "other".write(toFile: file, atomically: false, encoding: .utf8)
        process.signal(SIGINT)
        #expect(process.wait().code == 130)
        for command in [["resume", run], ["verify", run, "--steps", "1"], ["evaluate", run]] {
            let outcome = try place.run(command)
            expect(refused: outcome)
            #expect(outcome.errors.contains("text"), "\(outcome.errors)")
        }
    }

    @Test func `that lies beyond a link is the one that the system finds there`() throws {
        let place = try Workplace()
        let small = "--hidden-size 8 --embedding-dim 8 --batch-size 4 --seq-len 8 --shards 1 --steps 1"
        let lockstep = "'\(Workplace.executable("lockstep"))'"
        let outcome = try place.shell(
            """
            mkdir -p store/v2 '~' && ln -s store/v2 current && yes 'abc' | head -c 9000 > store/text && yes 'defgh' | head -c 9000 > text
            cp store/text '~/text'
            for name in store/text current/../text '~/text'; do
                \(lockstep) train --data "$name" --run "run$((++n))" \(small) --json > /dev/null
            done
            \(lockstep) keys new current/../keys > /dev/null && ls -d store/keys && grep -h data_sha256 run?/run.json | sort | uniq -c
            """)
        #expect(outcome.code == 0, "\(outcome)")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 2 && lines[0] == "store/keys" && lines[1].contains(" 3 "), "\(outcome)")
    }

    @Test func `that may not be read`() throws {
        let place = try Workplace()
        let file = try place.text()
        #expect(unsafe chmod(file, 0) == 0 && chmod(place.path, 0o755) == 0)
        // The superuser may read everything, and so becomes nobody.
        let prefix = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : ""
        let command = "\(prefix) '\(Workplace.executable("lockstep"))'"
        guard try place.shell("\(command) --version").code == 0 else {
            print("not tried: nobody may not run \(Workplace.executable("lockstep")), or there is no setpriv")
            return
        }
        for arguments in [
            "train --data '\(file)' --run /tmp/lockstep-never", "train --set hello --init-from '\(file)'",
        ] {
            let outcome = try place.shell("\(command) \(arguments)")
            expect(refused: outcome)
            #expect(outcome.errors.contains("Permission denied"), "\(outcome.errors)")
        }
        let forbidden = try place.shell("\(command) train --set hello --steps 3 --run '\(place.path)/run'")
        expect(refused: forbidden)
        #expect(forbidden.errors.contains("cannot make directory"), "\(forbidden.errors)")
        #expect(!FileManager.default.fileExists(atPath: "/tmp/lockstep-never"))
    }
}
