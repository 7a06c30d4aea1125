import Foundation
import Testing

private let text = "train --data @text --run @new"

/// Numbers that a flag cannot have, of the training commands.
private let badNumbers: [BadInput] =
    [
        ("--lr", ["-1", "0", "nan", "inf", "-inf", "1e-999"], "expected a positive number"),
        ("--lr", ["fast", "''", "0x"], "expected a number"),
        ("--dropout", ["-0.1", "1", "nan", "inf"], "expected a number from 0 up to, not including, 1"),
        ("--clip-norm", ["-1", "nan", "inf"], "expected a positive number, or 0 for no clipping"),
        ("--weight-decay", ["-1", "nan", "inf"], "expected 0 or a positive number"),
        ("--min-lr-factor", ["-1", "2", "nan"], "expected a number from 0 to 1"),
        ("--hidden-size", ["0", "-8", "9223372036854775807"], "expected a whole number from 1 to 1048576"),
        ("--embedding-dim", ["0", "-1"], "expected a whole number from 1 to 1048576"),
        ("--num-layers", ["0", "-1", "256"], "expected a whole number from 1 to 255"),
        ("--seq-len", ["0", "-1", "16777216"], "expected a whole number from 1 to 16777215"),
        ("--batch-size", ["0", "-1", "9223372036854775807"], "expected a whole number from 1 to 16777216"),
        ("--shards", ["0", "-8", "131072"], "expected a whole number from 1 to 65536"),
        ("--shards", ["3", "6", "63"], "expected a power of two"),
        ("--shards", ["128", "65536"], "expected at most the batch size, which is 64"),
        ("--steps", ["0", "4294967296"], "expected a whole number from 1 to 4294967295"),
        ("--steps", ["-1", "1.5", "many", "''"], "expected a positive whole number"),
        ("--seed", ["99999999999999999999"], "expected a whole number below 2^64"),
        ("--seed", ["-1", "1.5"], "expected a whole number, 0 or more"),
        ("--epochs", ["0", "-1", "NaN"], "expected a positive whole number"),
        ("--epochs", ["9223372036854775808"], "expected a whole number below 2^63"),
        ("--epochs", ["9223372036854775807"], "expected at most"),
        (
            "--validation-every", ["0", "4294967296", "18446744073709551615"],
            "expected a whole number from 1 to 4294967295"
        ),
        (
            "--checkpoint-every", ["0", "4294967296", "18446744073709551615"],
            "expected a whole number from 1 to 4294967295"
        ),
        ("--keep-checkpoints", ["0", "-3"], "expected a positive whole number"),
        ("--warmup-steps", ["3000"], "expected fewer than the 3000 steps of the run"),
        ("--threads", ["0", "-1", "1025"], "expected a whole number from 1 to 1024"),
        ("--workers", ["-1", "65", "99999999"], "expected a whole number from 0 to 64"),
    ].flatMap { flag, values, sentence in values.map { BadInput("\(text) \(flag) \($0)", says: flag, sentence) } }

/// Names that are none, with the one that was meant.
private let badNames: [BadInput] = [
    .init("trian", says: "'trian'", "expected train, coordinator", "did you mean train?"),
    .init("lessn gru", says: "did you mean lesson?"), .init("resme @run", says: "did you mean resume?"),
    .init("keys ad @directory x", says: "keys 'ad': expected new, add, list or revoke; did you mean add?"),
    .init("keys frobnicate", says: "keys 'frobnicate': expected new, add, list or revoke\n"),
    .init("help trian", says: "command 'trian'", "did you mean train?"),
    .init("frobnicate", says: "expected train, coordinator, worker"),
    .init("--versoin", says: "--versoin: no such option"),
    .init("\(text) --hiden-size 8", says: "--hiden-size: no such option; did you mean --hidden-size?"),
    .init("\(text) --learning-rate 1", says: "--learning-rate: no such option; expected one that --help lists"),
    .init("\(text) --cell lstn", says: "--cell 'lstn': expected rnn, lstm or gru; did you mean lstm?"),
    .init("\(text) --cell LSTM", says: "did you mean lstm?"),
    .init("\(text) --cell transformer", says: "'transformer': expected rnn, lstm or gru\n"),
    .init("\(text) --cell ''", says: "--cell '': expected rnn, lstm or gru\n"),
    .init("\(text) --precision bf61", says: "--precision 'bf61': expected fp32 or bf16; did you mean bf16?"),
    .init("bench --precision fp23", says: "--precision 'fp23': expected fp32 or bf16; did you mean fp32?"),
    .init("bench --packed --precision bf16", says: "--packed: compared in fp32"),
    .init("\(text) --optimizer adma", says: "expected adam, adamw, sgd or rmsprop; did you mean adam?"),
    .init("\(text) --schedule cosin", says: "--schedule 'cosin'", "did you mean cosine?"),
    .init("\(text) --cell rnn --nonlinearity rellu", says: "expected tanh or relu; did you mean relu?"),
    .init("\(text) --tokens byte", says: "expected characters or bytes; did you mean bytes?"),
    .init("\(text) --task language-modle", says: "expected language-model; did you mean language-model?"),
    .init("train --set additon --run @new", says: "expected addition, reber or hello; did you mean addition?"),
    .init("worker --conect tcp://127.0.0.1:1", says: "--conect: no such option; did you mean --connect?\n"),
    .init("coordinator --bnd x --set hello --run @new", says: "--bnd: no such option; did you mean --bind?\n"),
    .init("worker --frobnicate x", says: "--frobnicate: no such option; expected one that --help lists\n"),
    .init("keys revoke --jsn", says: "--jsn: no such option; did you mean --json?\n"),
    .init(
        "--version", says: "LOCKSTEP_ISA: ", "have portable", "; did you mean portable?\n",
        environment: ["LOCKSTEP_ISA": "portabel"]),
    .init("lesson lstn", says: "lesson 'lstn'", "or all; did you mean lstm?"),
    .init("bench --workload XLL", says: "expected hello, S, M, Z or XL; did you mean XL?"),
    .init("bench --mode inferr", says: "expected train, infer or ledger; did you mean infer?"),
    .init("bench --cell gruu", says: "did you mean gru?"),
]

/// Settings that do not go together, or that no machine has room for.
private let badCombinations: [BadInput] = [
    .init("\(text) --steps 3 --epochs 2", says: "--steps and --epochs: expected one of the two"),
    .init("\(text) --set hello", says: "expected one of the two"),
    .init("\(text) --steps 3 --steps 4", says: "--steps 3 and --steps 4: expected one of the two"),
    .init("\(text) --lr=0.1 --json --lr 0.2", says: "--lr 0.1 and --lr 0.2: expected one of the two"),
    .init("train --set hello --run @new --set=reber", says: "--set hello and --set reber: expected one of the two"),
    .init("sample @run --prompt=--length --length 3 --length 4", says: "--length 3 and --length 4"),
    .init("train --set hello --tokens bytes --run @new", says: "--tokens bytes: expected a text"),
    .init("train --set hello --stream --run @new", says: "--stream: expected a text"),
    .init("train --set hello --batch-size 4 --run @new", says: "--batch-size 4", "expected 1"),
    .init("train --set hello --seq-len 9 --run @new", says: "--seq-len 9", "expected 5"),
    .init("\(text) --nesterov", says: "--nesterov: expected --optimizer sgd"),
    .init("\(text) --nonlinearity relu", says: "--nonlinearity relu: expected --cell rnn, not lstm"),
    .init("bench --batch-size 0", says: "--batch-size 0: expected a whole number from 1 to 65536"),
    .init("\(text) --amsgrad --optimizer sgd", says: "--amsgrad: expected --optimizer adam or adamw, not sgd"),
    .init("\(text) --momentum 0.9", says: "--momentum 0.9: expected --optimizer sgd or rmsprop, not adam"),
    .init("\(text) --momentum -1 --optimizer sgd", says: "--momentum -1.0: expected 0 or a positive number"),
    .init("\(text) --shards 16 --batch-size 8", says: "expected at most the batch size, which is 8"),
    .init("\(text) --hidden-size 1048576", says: "GB of memory; expected at most the"),
    .init(
        "\(text) --hidden-size 1048576 --num-layers 255 --embedding-dim 1048576 --batch-size 16777216",
        says: "GB of memory"),
    .init("\(text) --batch-size 16777216", says: "GB of memory"),
    .init("\(text) --workers 2 --lr -1", says: "--lr -1.0: expected a positive number"),
    .init("\(text) --workers 2 --shards 3", says: "--shards 3: expected a power of two"),
    .init("resume @text --workers 2", says: "expected the directory of a run"),
    .init("worker", says: "--connect: missing; --help says what is expected\n"),
    .init("keys list", says: "argument <dir>: missing; --help says what is expected\n"),
    .init("keys new @place/a help new", says: "arguments 'help', 'new': expected none here\n"),
    .init("\(text) --json=x", says: "--json 'x': expected no value\n"),
    .init("\(text) ---", says: "---: no such option; expected one that --help lists\n"),
    .init(
        "\(text) --workers 2 --audit -0",
        says: "--audit: expected a value after it; one that begins with '-' is given as --audit=-0\n"),
    .init("train --set hello --run -x", says: "; one that begins with '-' is given as --run=-x\n"),
    .init("train --set hello --run --json", says: "--run: expected a value after it\n"),
    .init("resume @run --workers 1 --fallback-after -5", says: "--fallback-after -5.0: expected --bind beside it"),
    .init("resume @run --fallback-after 10", says: "--fallback-after 10.0: expected --bind beside it"),
    .init("resume @run --bind ipc://@place/s --fallback-after -5", says: "--fallback-after -5.0: expected a number"),
    .init("bench --shortest 5", says: "--shortest 5: expected --packed beside it"),
    .init("bench --profile --mode infer", says: "--profile: of training steps"),
    .init("bench --profile --mode ledger", says: "--profile: of training steps"),
    .init("bench --profile --packed", says: "--profile: of training steps"),
    .init("\(text) extra", says: "argument 'extra': expected none here"),
    .init("\(text) --steps", says: "--steps: expected a positive whole number after it\n"),
    .init("train --set hello --run ''", says: "--run '': expected a directory"),
    .init("bench --steps 0", says: "--steps 0: expected a whole number from 1 to 1000000"),
    .init("bench --steps -3", says: "--steps -3"), .init("bench --threads 1000000", says: "from 1 to 1024"),
    .init("bench --workers 65", says: "from 0 to 64"), .init("bench --shards 3", says: "power of two"),
    .init("bench --workload hello --shards 8", says: "expected at most the batch size, which is 1"),
    .init("bench --threads 2 --workers 2", says: "expected one of the two"),
    .init("bench --mode infer --workers 2", says: "--mode infer"),
    .init("bench --packed --shortest 65", says: "--shortest 65: expected a whole number from 1 to 64"),
    .init("bench --workload XL --threads 1024", says: "GB of memory"),
    .init("sample @run --temperature -1", says: "--temperature -1.0"),
    .init("sample @run --temperature nan", says: "nan"),
    .init("sample @run --length 0", says: "--length 0"), .init("sample @run --top-k 0", says: "--top-k 0"),
    .init("sample @run --prompt ''", says: "--prompt '': expected at least one symbol"),
    .init("sample @run --prompt \u{2603}", says: "--prompt", "U+2603", "is not among the 12 symbols"),
    .init("evaluate @run --threads 0", says: "--threads 0"), .init("resume @run --threads 0", says: "--threads 0"),
    .init("resume @run --workers 2 --bind ipc://@place/s", says: "--bind and --workers: expected one of the two"),
    .init("resume @run --steps 3", says: "--steps: no such option; expected one that --help lists"),
    .init("resume @run --keys @directory", says: "--keys: expected --bind beside it"),
    .init("verify @run --steps 3..1", says: "--steps '3..1': expected FIRST..LAST"),
    .init("verify @run --steps 0", says: "counted from 1"),
    .init("verify @run --steps 1..7", says: "expected steps from 1 to 6"),
    .init("verify @run --steps ''", says: "--steps ''"),
    .init("diff @run", says: "argument <run-b>: missing; --help says what is expected\n"),
    .init("coordinator --set hello --run @new", says: "--bind"), .init("worker", says: "--connect"),
    .init("worker --connect ipc://@place/s --local xyz", says: "worker name 'xyz': expected hexadecimal digits"),
    .init("lesson gru --epochs 0", says: "--epochs 0"), .init("lesson gru --lr nan", says: "--lr nan"),
    .init("evaluate @run --data ''", says: "--data '': expected a text file"),
    .init("\(text) --trace ''", says: "--trace '': expected a place for a file"),
    .init("\(text) --trace @directory", says: "no trace"),
    .init("\(text) --trace @directory/none/trace", says: "none/trace: cannot be written: No such file or directory"),
    .init("\(text) --trace @place/trace/", says: "cannot be written: Is a directory"),
    .init("\(text) --trace @loop", says: "a symbolic link that leads nowhere: Too many levels of symbolic links"),
    .init("\(text) --trace /proc/self/mem", says: "cannot be read: Input/output error", "expected a new place"),
    .init("\(text) --trace @new", says: "lies in the place of the run's own files; expected a place outside of /"),
    .init("train --set hello --run @place/a/b --trace @place/a", says: "lies in the place of the run's own files"),
    .init("train --set hello --workers 2 --run @place/a --trace @place/a/b", says: "lies in the place of the run's"),
    .init("resume @run --trace @run/trace.json", says: "lies in the place of the run's own files"),
    .init(
        "\(text) --trace @place/trace", says: "/dev/null/lockstep-trace-", "expected TMPDIR to be a directory",
        environment: ["TMPDIR": "/dev/null"]),
    .init(
        "resume @run --trace @place/trace", says: "expected TMPDIR to be a directory",
        environment: ["TMPDIR": "/nowhere"]),
    .init("bench --profile --steps 1", says: "expected TMPDIR to be a directory", environment: ["TMPDIR": "/nowhere"]),
    .init(
        "\(text) --workers 2", says: "LOCKSTEP_SHARED_MEMORY=yes: expected on or off",
        environment: ["LOCKSTEP_SHARED_MEMORY": "yes"]),
    .init(
        "\(text) --workers 2", says: "/nowhere/", "expected TMPDIR to be a directory",
        environment: ["TMPDIR": "/nowhere"]),
    .init(
        "coordinator --bind ipc://@place/s --set hello --run @new", says: "expected TMPDIR to be a directory",
        environment: ["TMPDIR": "/nowhere"]),
    .init(
        "bench --workers 2 --steps 1", says: "expected TMPDIR to be a directory", environment: ["TMPDIR": "/dev/null"]),
    .init("resume @run --workers 2", says: "expected TMPDIR to be a directory", environment: ["TMPDIR": "/dev/null"]),
    .init(
        "worker --connect tcp://127.0.0.1:1", says: "/nowhere", "expected one of mode 0700",
        environment: ["LOCKSTEP_KEYS": "/nowhere"]),
    .init("--version", says: "LOCKSTEP_ISA", "'AVX2'", environment: ["LOCKSTEP_ISA": "AVX2"]),
    .init("--version", says: "LOCKSTEP_ISA", environment: ["LOCKSTEP_ISA": " \u{2603}"]),
    .init(
        "--version", says: "LOCKSTEP_CRASH_AT 'updated'", "expected POINT:STEP:FILE",
        environment: ["LOCKSTEP_CRASH_AT": "updated"]),
    .init(
        "\(text) --steps 3", says: "'uptated:3:/tmp/x'", "reduced, updated",
        environment: ["LOCKSTEP_CRASH_AT": "before-step:1:/tmp/x,uptated:3:/tmp/x"]),
]

/// Addresses that lead nowhere, and files in their place.
private let badEndpoints: [BadInput] =
    [
        ("''", "endpoint"), ("x", "unknown transport"), ("tcp://", "no port"), ("tcp://127.0.0.1", "no port"),
        ("tcp://127.0.0.1:99999", "1 to 65535"), ("tcp://127.0.0.1:-1", "1 to 65535"),
        ("tcp://256.0.0.1:1", "endpoint"),
        ("tcp://localhost:5555:5", "in brackets"), ("ipc://", "the path is empty"),
        ("ipc://@missing/s", "No such file"),
        ("ipc://@text/s", "not a directory"),
        ("ipc:///tmp/\(String(repeating: "x", count: 200))", "the system allows 107"),
        ("inproc://x", "reaches no other process"), ("pgm://x", "unknown transport"),
        ("ipc://@text", "a file is there"),
        ("ipc://@directory", "a directory is there"), ("ipc://@pipe", "is there"),
        ("ipc://@loop", "a symbolic link is there"),
    ].flatMap { endpoint, sentence in
        [
            BadInput(
                "coordinator --bind \(endpoint) --set hello --steps 3 --fallback-after 0 --run @new", says: sentence),
            BadInput("worker --connect \(endpoint)", says: sentence),
        ]
    } + [
        .init("worker --connect tcp://127.0.0.1:*", says: "expected the port that the coordinator prints"),
        .init("coordinator --bind tcp://192.0.2.1:5555 --set hello --run @new", says: "tcp://192.0.2.1:5555"),
        .init("coordinator --bind ipc://@place/s --fallback-after -1 --run @new", says: "--fallback-after -1.0"),
        .init("coordinator --bind ipc://@place/s --fallback-after nan --run @new", says: "--fallback-after nan"),
        .init("coordinator --bind ipc://@place/s --fallback-after soon --run @new", says: "'soon': expected a number"),
    ]

@Suite(.tags(.processes), .timeLimit(.minutes(5)))
struct `One line and exit code 2 answer` {
    @Test(arguments: badNumbers) func `a number out of its range`(input: BadInput) throws { try input.expectRefusal() }

    @Test(arguments: badNames) func `an unknown name, with the one that is near`(input: BadInput) throws {
        try input.expectRefusal()
    }

    @Test(arguments: badCombinations) func `settings that do not go together`(input: BadInput) throws {
        try input.expectRefusal()
    }

    @Test(arguments: badEndpoints) func `an address that cannot be used`(input: BadInput) throws {
        try input.expectRefusal()
    }

    @Test(arguments: ["train --set hello --run", "resume", "sample --set hello", "", "--run"])
    func `arguments that are no text, of which nothing is made`(words: String) throws {
        let place = try Workplace()
        let outcome = try place.shell("'\(Workplace.executable("lockstep"))' \(words) $'bad\\xff\\xfe'")
        expect(refused: outcome)
        #expect(outcome.errors.contains("not UTF-8"), "\(outcome.errors)")
        let made = try FileManager.default.contentsOfDirectory(atPath: place.path).filter { $0.hasPrefix("bad") }
        #expect(made.isEmpty, "\(made)")
    }

    @Test func `an address of another machine, whoever listens there`() throws {
        let place = try Workplace()
        #expect(try place.run(["keys", "new", "\(place.path)/keys"]).code == 0)
        let outcome = try place.run([
            "coordinator", "--bind", "tcp://192.0.2.1:5555", "--keys", "\(place.path)/keys", "--set", "hello", "--run",
            "\(place.path)/run",
        ])
        expect(refused: outcome)
        #expect(outcome.errors.contains("tcp://192.0.2.1:5555: not an address of this machine"), "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }

    @Test(arguments: [false, true]) func `a port that another process has`(listens: Bool) throws {
        let place = try Workplace()
        let other = try Listener(listens: listens)
        let outcome = try place.run([
            "coordinator", "--bind", "tcp://127.0.0.1:\(other.port)", "--set", "hello", "--run",
            "\(place.path)/run",
        ])
        expect(refused: outcome)
        let sentence = listens ? "another process listens there" : "another process has the port"
        #expect(outcome.errors.contains(sentence), "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }

    @Test func `no option that has the same value twice`() throws {
        let place = try Workplace()
        let outcome = try place.run([
            "train", "--set", "hello", "--steps", "3", "--json", "--steps=3", "--run", "\(place.path)/run", "--json",
        ])
        #expect(outcome.code == 0 && outcome.member("steps") == "3", "\(outcome)")
    }

    @Test func `an address in whose place a file of the user's lies, which stays`() throws {
        let place = try Workplace()
        let file = try place.text()
        let before = try Data(contentsOf: URL(fileURLWithPath: file))
        for taken in [file, "\(place.path)/socket"] {
            if taken != file { try before.write(to: URL(fileURLWithPath: "\(taken).control")) }
            expect(
                refused: try place.run([
                    "coordinator", "--bind", "ipc://\(taken)", "--set", "hello", "--steps", "3", "--run",
                    "\(place.path)/run",
                ]))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
        #expect(try Data(contentsOf: URL(fileURLWithPath: "\(place.path)/socket.control")) == before)
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run"))
    }
}
