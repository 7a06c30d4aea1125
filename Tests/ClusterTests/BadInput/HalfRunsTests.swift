import Foundation
import Testing

/// A run to which something was done, and the commands that must refuse it then.
private struct HalfRun: Sendable, CustomTestStringConvertible {
    let what: String
    /// Lines of the shell, in a copy of the run's directory.
    let damage: String
    let commands: [String]
    let sentence: String

    static let all = ["resume", "sample", "evaluate", "verify", "diff"]

    init(_ what: String, _ damage: String, _ commands: [String] = all, says sentence: String) {
        (self.what, self.damage, self.commands, self.sentence) = (what, damage, commands, sentence)
    }

    /// One setting of `run.json` is another.
    init(setting: String, _ value: String, _ commands: [String] = all, says sentence: String) {
        self.init(
            "\(setting) \(value)", #"sed -i 's/"\#(setting)" : [^,]*/"\#(setting)" : \#(value)/' run.json"#, commands,
            says: sentence)
    }

    var testDescription: String { what }
}

private let eachParameters = "for f in checkpoints/*/parameters.safetensors; do"

private let halfRuns: [HalfRun] = [
    .init("no run.json", "rm run.json", says: "not a run: run.json"),
    .init("an empty run.json", ": > run.json", says: "run.json: it is empty"),
    .init("half a run.json", "head -c 300 run.json > x; mv x run.json", says: "run.json: it is not JSON"),
    .init("null", "echo null > run.json", says: "run.json: the value is not an object"),
    .init("a list", "echo '[]' > run.json", says: "run.json: the value is not an object"),
    .init("noise", "head -c 1000 /dev/urandom > run.json", says: "run.json: it is not JSON"),
    .init("nested without end", "printf '[%.0s' {1..100000} > run.json", says: "run.json: "),
    .init("a run.json of 10 GB", "truncate -s 10G run.json", says: "it has 10737418240 bytes"),
    .init("a directory for run.json", "rm run.json; mkdir run.json", says: "not a run: run.json is a directory"),
    .init("a pipe for run.json", "rm run.json; mkfifo run.json", says: "not a run: run.json is a pipe"),
    .init(
        "a link for run.json", "mv run.json x; ln -s x run.json",
        says: "run.json is a symbolic link; expected a regular"),
    .init(
        "a link to nowhere for run.json", "rm run.json; ln -s x run.json",
        says: "run.json is a symbolic link that leads nowhere"),
    .init("no hidden size", "sed -i '/hiddenSize/d' run.json", says: "`configuration.hiddenSize` is missing"),
    .init(setting: "hiddenSize", "-8", says: "run.json: --hidden-size -8: expected a whole number"),
    .init(setting: "hiddenSize", "0", says: "--hidden-size 0"),
    .init(setting: "hiddenSize", "99999999999999999999", says: "a number in it does not fit"),
    .init(setting: "hiddenSize", "1000000", ["resume", "sample", "evaluate", "verify"], says: "GB of memory"),
    .init(
        setting: "hiddenSize", "16", ["resume", "verify"], says: "changed since the run began: hiddenSize: 8 and 16"),
    .init(
        setting: "hiddenSize", "16", ["sample", "evaluate"],
        says: "run.json: not of the model that was trained up to step 6: hiddenSize: 8 and 16; expected"),
    .init(setting: "cell", #""lstn""#, says: #"`configuration.cell`: "lstn" is none of the names"#),
    .init(setting: "task", #""tagging""#, says: "--task 'tagging': expected language-model"),
    .init(setting: "shards", "3", says: "--shards 3: expected a power of two"),
    .init(setting: "shards", "0", says: "--shards 0"), .init(setting: "batchSize", "0", says: "--batch-size 0"),
    .init(setting: "seqLen", "-1", says: "--seq-len -1"),
    .init(setting: "validationEvery", "0", says: "--validation-every 0"),
    .init(setting: "checkpointEvery", "0", says: "--checkpoint-every 0"), .init(setting: "lr", "-1", says: "--lr -1.0"),
    .init(setting: "lr", #""NaN""#, says: "--lr nan"),
    .init(setting: "lr", #""fast""#, says: "`configuration.lr` is not a number"),
    .init(setting: "dropout", "2", says: "--dropout 2.0"), .init(setting: "steps", "0", says: "--steps 0"),
    .init(setting: "run", #""xyz""#, says: "expected 32 hexadecimal digits"),
    .init(setting: "symbols", #""""#, says: "a vocabulary has at least one symbol and none twice"),
    .init(setting: "symbols", #""aab""#, says: "none twice"),
    .init(setting: "symbols", #""abc""#, ["resume", "sample", "evaluate", "verify"], says: "c"),
    .init("no ledger", "rm ledger.jsonl", ["verify"], says: "ledger.jsonl: has no line; expected step 6 as its last"),
    .init("an empty ledger", ": > ledger.jsonl", ["verify"], says: "ledger.jsonl: has no line; expected step 6"),
    .init(
        "a ledger of words", "echo hi > ledger.jsonl", ["verify", "diff"],
        says: "line 1 is not a line of a ledger"),
    .init(
        "a ledger of another run's lines",
        #"sed -i '$!d;s/"step":6/"step":1/' ledger.jsonl"#, ["verify", "diff"], says: "line 1 is not what its hash"),
    .init(
        "an edited ledger", #"sed -i '3s/"tokens":6/"tokens":7/' ledger.jsonl"#, ["verify", "diff"],
        says: "line 3 is not what its hash was made from"),
    .init(
        "a ledger without its second line", "sed -i 2d ledger.jsonl", ["verify", "diff"],
        says: "line 2 is of step 3; expected step 2"),
    .init(
        "a directory for a ledger", "rm ledger.jsonl; mkdir ledger.jsonl", ["resume", "verify", "diff"],
        says: "ledger.jsonl"),
    .init(
        "a pipe for a ledger", "rm ledger.jsonl; mkfifo ledger.jsonl", ["resume", "verify", "diff"],
        says: "ledger.jsonl"),
    .init("no checkpoint", "rm -r checkpoints", ["sample", "evaluate"], says: "no checkpoint yet"),
    .init("lost checkpoints", "rm -r checkpoints", ["resume"], says: "expected step-00000006 in it"),
    .init("emptied checkpoints", "rm -r checkpoints/*", ["resume"], says: "checkpoints: there is no checkpoint"),
    .init(
        "no checkpoint and no latest", "rm -r checkpoints latest", ["resume"],
        says: "although summary.json is of step 6"),
    .init(
        "no checkpoint but what the ledger says", "rm -r checkpoints latest summary.json", ["resume"],
        says: "although the ledger goes on behind that of step 2"),
    .init(
        "a file for checkpoints", "rm -r checkpoints; : > checkpoints", ["resume", "sample", "evaluate", "verify"],
        says: "checkpoints"),
    .init(
        "no manifest", "rm checkpoints/*/manifest.json", ["resume", "sample", "evaluate"],
        says: "no checkpoint can be used"),
    .init(
        "half a manifest", "for f in checkpoints/*/manifest.json; do echo '{' > $f; done",
        ["resume", "sample", "evaluate"],
        says: "no checkpoint can be used"),
    .init(
        "a manifest that leads elsewhere",
        "sed -i 's:parameters.safetensors:../../run.json:' checkpoints/*/manifest.json",
        ["resume", "sample", "evaluate"], says: "is not the name of a file"),
    .init(
        "no parameters", "rm checkpoints/*/parameters.safetensors", ["resume", "sample", "evaluate"],
        says: "No such file"),
    .init(
        "parameters cut short", "truncate -s 100 checkpoints/*/parameters.safetensors",
        ["resume", "sample", "evaluate"], says: "100 bytes"),
    .init(
        "one byte of the parameters",
        "\(eachParameters) printf x | dd of=$f bs=1 seek=4000 conv=notrunc status=none; done",
        ["resume", "sample", "evaluate"], says: "its SHA-256 differs"),
    .init(
        "parameters of 10 GB", "truncate -s 10G checkpoints/*/parameters.safetensors",
        ["resume", "sample", "evaluate"],
        says: "10737418240 bytes"),
    .init(
        "pipes for parameters", "\(eachParameters) rm $f; mkfifo $f; done", ["resume", "sample", "evaluate"],
        says: "not a regular file"),
    .init("a directory for a lock", "rm lock; mkdir lock", ["resume"], says: "lock: not a regular file"),
    .init("a pipe for a lock", "rm lock; mkfifo lock", ["resume"], says: "lock: not a regular file"),
    .init(
        "a word for an incarnation", "echo x > incarnation", ["resume"], says: "incarnation: got \"x"),
    .init(
        "neither incarnation nor lock", "rm incarnation lock", ["resume"],
        says: "incarnation: missing, and so is its number in the lock file, although ledger.jsonl says"),
    .init(
        "an incarnation beyond all others", "echo 18446744073709551615 > incarnation", ["resume"],
        says: "incarnation: got 18446744073709551615, which no run comes to; expected at most"),
    .init(
        "a lock of an incarnation beyond all others",
        #"echo '{"host":"h","incarnation":"18446744073709551615","pid":1,"since":"x"}' > lock"#, ["resume"],
        says: "lock: `incarnation` is 18446744073709551615, which no run comes to; expected at most"),
    .init("half an origin", "echo '{' > origin.json", ["resume", "verify"], says: "origin.json: it is not JSON"),
    .init("an empty origin", ": > origin.json", ["resume", "verify"], says: "origin.json: it is empty"),
    .init(
        "an edited origin", #"sed -i 's/"hiddenSize" : 8/"hiddenSize" : 9/' origin.json"#, ["resume", "verify"],
        says: "origin.json: not what its seal was made from"),
    .init(
        "settings edited without an origin", #"rm origin.json; sed -i 's/"hiddenSize" : 8/"hiddenSize" : 9/' run.json"#,
        ["resume", "verify"], says: "run.json: not the settings or the data that the ledger begins from"),
    .init(
        "a directory for an origin", "rm origin.json; mkdir origin.json", ["resume", "verify"], says: "origin.json: "),
    .init(
        "a link for an origin", "mv origin.json x; ln -s x origin.json", ["verify"],
        says: "origin.json: it is a symbolic link; expected a regular file"),
    .init("a pipe for an origin", "rm origin.json; mkfifo origin.json", ["resume", "verify"], says: "origin.json: "),
    .init("an incarnation of 10 GB", "truncate -s 10G incarnation", ["resume"], says: "incarnation"),
    .init(
        "a directory for a summary", "rm summary.json; mkdir summary.json", ["resume"],
        says: "summary.json: not a regular"),
    .init(
        "a link for a ledger", "mv ledger.jsonl l; ln -s l ledger.jsonl", ["verify", "diff"],
        says: "ledger.jsonl: it is a symbolic link; expected a regular file"),
    .init(
        "a link for a ledger, to be written to", "mv ledger.jsonl l; ln -s l ledger.jsonl", ["resume"],
        says: "ledger.jsonl: not a regular file but a symbolic link; expected"),
    .init(
        "a link for metrics", "rm metrics.jsonl; ln -s l metrics.jsonl", ["resume"],
        says: "metrics.jsonl: not a regular file but a symbolic link that leads nowhere; expected"),
    .init("a ledger of 10 GB", "truncate -s 10G ledger.jsonl", ["verify", "diff"], says: "line 7 is not a line"),
    .init(
        "manifests cut short", "truncate -s -9 checkpoints/*/manifest.json", ["resume", "sample", "evaluate"],
        says: "manifest.json: cut short"),
    .init(
        "links that lead to what was there", "for f in summary.json latest; do mv $f x$f; ln -s x$f $f; done",
        ["verify"],
        says: "summary.json: not a regular file but a symbolic link; expected"),
    .init(
        "a link for latest", "mv latest x; ln -s x latest", ["verify"],
        says: "latest: not a regular file but a symbolic link; expected"),
    .init(
        "a link for metrics that leads to them", "mv metrics.jsonl x; ln -s x metrics.jsonl", ["verify"],
        says: "metrics.jsonl: not a regular file but a symbolic link; expected"),
    .init(
        "a pipe for a summary", "rm summary.json; mkfifo summary.json", ["verify"],
        says: "summary.json: not a regular file but a pipe; expected"),
    .init("a pipe for latest", "rm latest; mkfifo latest", ["verify"], says: "latest: not a regular file but a pipe"),
    .init("a directory for latest", "rm latest; mkdir latest", ["resume"], says: "latest: not a regular file"),
    .init(
        "a directory for metrics", "rm metrics.jsonl; mkdir metrics.jsonl", ["resume", "verify"], says: "metrics.jsonl"),
    .init("a pipe for metrics", "rm metrics.jsonl; mkfifo metrics.jsonl", ["resume", "verify"], says: "metrics.jsonl"),
]

/// The commands go on without what follows. It can be made anew but for metrics, and `verify` says what is wrong until `resume` has.
private let harmless: [(what: String, damage: String, verified: String?)] = [
    ("no latest", "rm latest", nil), ("no origin", "rm origin.json", nil),
    ("a latest that points nowhere", "echo 999 > latest", "latest is"),
    ("a latest of words", "echo x > latest", "latest: expected the step of a checkpoint"),
    ("no summary", "rm summary.json", nil),
    ("half a summary", "echo '{' > summary.json", "summary.json: it is not JSON"),
    (
        "a summary whose counts cannot be added",
        #"sed -i 's/"\(audited\|outvoted\)" : 0/"\1" : 9223372036854775807/' summary.json"#, nil
    ),
    ("no metrics", "rm metrics.jsonl", "metrics.jsonl has no record of the step; expected one"),
    ("an empty directory for a checkpoint", "mkdir checkpoints/step-99999999", nil),
    ("a file for a checkpoint", ": > checkpoints/step-99999999", nil),
    ("a pipe for a checkpoint", "mkfifo checkpoints/step-99999999", nil),
    ("manifests without their last newline", "truncate -s -1 checkpoints/*/manifest.json", nil),
    ("metrics of words", "echo x > metrics.jsonl", "metrics.jsonl: line 1: it is not JSON"),
    ("no lock", "rm lock", nil), ("no incarnation", "rm incarnation", nil),
]

@Suite(.tags(.processes), .timeLimit(.minutes(5)))
struct `A run that is half there` {
    @Test(arguments: ["ledger.jsonl", "metrics.jsonl"])
    func `goes on when gigabytes of nothing follow its lines, which it does not read`(file: String) throws {
        let place = try Workplace()
        let whole = try Wrecks.shared.resolve("@run", place.path)
        #expect(try place.shell("cp -r '\(whole)' half && truncate -s 10G half/\(file)").code == 0)
        let outcome = try place.run(["resume", "\(place.path)/half"])
        // Read piece by piece, they would be many lines, or a torn one besides.
        let notes = outcome.errors.split(separator: "\n").filter { $0.contains(file) }
        #expect(outcome.code == 0 && notes.count == 1 && notes[0].contains("line 7 is no"), "\(outcome)")
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: "\(place.path)/half/\(file)"))
                == Data(contentsOf: URL(fileURLWithPath: "\(whole)/\(file)")))
    }

    @Test(arguments: halfRuns)
    fileprivate func `is refused by every command that needs what is missing, and stays as it is`(half: HalfRun) throws
    {
        let place = try Workplace()
        let whole = try Wrecks.shared.resolve("@run", place.path)
        let run = "\(place.path)/half"
        #expect(try place.shell("cp -r '\(whole)' half && cd half && \(half.damage)").code == 0)
        let before = try contents(of: run)
        for command in half.commands {
            let outcome = try place.run([command, run] + (command == "diff" ? [whole] : []))
            expect(refused: outcome)
            #expect(outcome.errors.contains(half.sentence), "\(command): \(outcome.errors)")
            #expect(outcome.errors.contains(place.path), "\(command): \(outcome.errors)")
        }
        #expect(try contents(of: run) == before)
    }

    @Test func `says once what lies in the place of a checkpoint and is none`() throws {
        let place = try Workplace()
        let whole = try Wrecks.shared.resolve("@run", place.path)
        #expect(try place.shell("cp -r '\(whole)' half && mkdir half/checkpoints/step-99999999").code == 0)
        for command in ["resume", "verify", "sample"] {
            let outcome = try place.run(
                [command, "\(place.path)/half"] + (command == "sample" ? ["--length", "5"] : []))
            #expect(outcome.code == 0, "\(command): \(outcome)")
            #expect(
                outcome.errors.components(separatedBy: "step-99999999: ").count == 2
                    && outcome.errors.contains(command == "verify" ? "an empty directory" : "of no step of this run"),
                "\(command): \(outcome.errors)")
        }
    }

    @Test(arguments: harmless.map(\.what))
    func `goes on where what is missing follows from the rest`(what: String) throws {
        let place = try Workplace()
        let whole = try Wrecks.shared.resolve("@run", place.path)
        let (_, damage, verified) = try #require(harmless.first { $0.what == what })
        #expect(try place.shell("cp -r '\(whole)' half && cd half && \(damage)").code == 0)
        let before = try place.run(["verify", "\(place.path)/half"])
        #expect(
            before.code == (verified == nil ? 0 : 1) && before.output.contains(verified ?? "identical"), "\(before)")
        for command in ["sample", "resume", "verify"] {
            let outcome = try place.run(
                [command, "\(place.path)/half"] + (command == "sample" ? ["--length", "5"] : []))
            // What was measured before the checkpoint is gone.
            let isGone = command == "verify" && what.contains("metrics")
            #expect(
                outcome.code == (isGone ? 1 : 0) && outcome.output.contains("has no record of the step") == isGone
                    && !outcome.errors.contains("Fatal"), "\(command): \(outcome)")
        }
        #expect(try place.run(["diff", "\(place.path)/half", whole]).output == "identical: steps 1 to 6\n")
    }

    @Test func `is refused where this user may not read it, or not write to it`() throws {
        let place = try Workplace()
        let common = ["train", "--set", "hello", "--steps", "6", "--checkpoint-every", "2", "--run"]
        for name in ["half", "whole"] { #expect(try place.run(common + ["\(place.path)/\(name)"]).code == 0) }
        // The superuser may do everything, and so becomes nobody.
        let isRoot = geteuid() == 0
        let prefix = isRoot ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : ""
        let command = "\(prefix) '\(Workplace.executable("lockstep"))'"
        #expect(unsafe chmod(place.path, 0o755) == 0)
        guard try place.shell("\(command) --version").code == 0 else {
            print("not tried: nobody may not run \(Workplace.executable("lockstep")), or there is no setpriv")
            return
        }
        let owner = isRoot ? "chown -R 65534 half empty" : "true"
        #expect(try place.shell("mkdir -m 500 empty && chmod -R a+rX whole && \(owner)").code == 0)
        let reading = ["resume", "verify", "sample", "evaluate", "diff"]
        let cases: [(modes: String, commands: [String], sentence: String)] = [
            ("chmod 000 half", reading, "half/run.json: Permission denied"),
            ("chmod 000 half/run.json", reading, "half/run.json: Permission denied"),
            ("chmod 000 half/ledger.jsonl", ["resume", "verify", "diff"], "half/ledger.jsonl: Permission denied"),
            ("chmod 000 half/checkpoints", ["resume", "verify", "sample"], "half/checkpoints: Permission denied"),
            ("chmod 400 half/checkpoints", ["verify"], "half/checkpoints/step-00000002: Permission denied"),
            // A run that is done and has its summary needs nothing written.
            (
                "rm half/summary.json; chmod 500 half", ["resume"],
                "half: Permission denied; expected a directory that this user may write to"
            ),
            ("chmod 500 half/checkpoints", ["resume"], "half/checkpoints: Permission denied"),
            ("chmod 400 half/metrics.jsonl", ["resume"], "half/metrics.jsonl: Permission denied; expected a file"),
            ("true", ["train --set hello --steps 3 --run empty"], "empty: Permission denied; expected a directory"),
            ("true", ["train --set hello --steps 3 --run empty/x"], "cannot make directory empty/x: Permission denied"),
        ]
        for (modes, commands, sentence) in cases {
            for words in commands {
                let other = words == "diff" ? "whole" : ""
                let line = words.contains(" ") ? words : "\(words) half \(other)"
                let outcome = try place.shell("\(modes); \(command) \(line)")
                expect(refused: outcome)
                #expect(outcome.errors.contains(sentence), "\(modes); \(words): \(outcome.errors)")
            }
            #expect(try place.shell("chmod 700 half; chmod -R u+rwX half").code == 0)
        }
        #expect(try place.run(["verify", "\(place.path)/half"]).code == 0)
        for workers in [0, 1] {
            let shut = isRoot ? "true" : "chmod -R a-w whole"
            let done = try place.shell(
                "\(shut); TMPDIR=/tmp \(command) resume whole --workers \(workers) --json; code=$?; chmod -R u+w whole; exit $code"
            )
            #expect(done.code == 0 && done.member("steps") == "6", "\(done)")
            #expect(done.errors == "whole is done; nothing is left to train\n", "\(done)")
        }
    }

    /// Sizes and bytes of everything but who held the run, and how often.
    private func contents(of run: String) throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: run)
        where !["lock", "incarnation"].contains(name) {
            var status = stat()
            guard unsafe lstat("\(run)/\(name)", &status) == 0 else { continue }
            let isRead = status.st_mode & S_IFMT == S_IFREG && status.st_size < 1 << 20
            contents[name] =
                isRead
                ? try Data(contentsOf: URL(fileURLWithPath: "\(run)/\(name)"))
                : Data("\(status.st_mode) \(status.st_size)".utf8)
        }
        return contents
    }
}
