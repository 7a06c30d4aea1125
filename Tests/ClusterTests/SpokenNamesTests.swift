import Foundation
import Testing
import Training

/// What a terminal would obey, in the middle of a name.
private let strange = "r\n\u{1B}[31mX"
private let shown = "r \\u{1B}[31mX"

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A name that whoever wrote it meant for a terminal` {
    /// A run of a few steps, on a text.
    private func train(_ run: String, in place: borrowing Workplace) throws {
        let outcome = try place.run([
            "train", "--data", try place.text(), "--hidden-size", "8", "--batch-size", "8", "--seq-len", "8", "--steps",
            "3", "--threads", "1", "--run", run,
        ])
        #expect(outcome.code == 0, "\(outcome)")
    }

    private func expectHarmless(_ text: String, lines: Int, _ location: SourceLocation = #_sourceLocation) {
        #expect(!text.unicodeScalars.contains("\u{1B}"), "\(text.debugDescription)", sourceLocation: location)
        #expect(text.filter { $0 == "\n" }.count == lines, "\(text.debugDescription)", sourceLocation: location)
    }

    @Test func `is told in one line by a run of that name, and quoted in a command to copy`() throws {
        let place = try Workplace()
        try train("\(place.path)/\(strange)", in: place)
        let resumed = try place.run(["resume", "\(place.path)/\(strange)"])
        #expect(resumed.code == 0)
        expectHarmless(resumed.errors, lines: 1)
        #expect(resumed.errors.contains("/\(shown) is done"), "\(resumed.errors.debugDescription)")
        let refused = try place.run(["train", "--set", "hello", "--run", "\(place.path)/\(strange)"])
        expect(refused: refused)
        #expect(refused.errors.contains(#"`lockstep resume $'\#(place.path)/r\012\033[31mX'`"#), "\(refused.errors)")
    }

    @Test func `is told in one line where it stands in the files of a run`() throws {
        let place = try Workplace()
        try train("\(place.path)/run", in: place)
        let damage = #"""
            cp -r run other
            sed -i 's|"path" : "[^"]*"|"path" : "\\u001b[31m\\n"|' other/run.json
            cp -r run third
            sed -i 's|"run" : "[^"]*"|"run" : "\\u001b[31m\\nX"|' third/summary.json
            """#
        #expect(try place.shell(damage).code == 0)
        let compared = try place.run(["diff", "\(place.path)/run", "\(place.path)/other"])
        expectHarmless(compared.errors, lines: 1)
        #expect(compared.errors.contains("settings differ in ") && compared.errors.contains(#"\u{1B}[31m"#))
        let resumed = try place.run(["resume", "\(place.path)/third"])
        #expect(resumed.code == 0 && resumed.output.contains(#"\u{1B}[31m X"#), "\(resumed)")
        expectHarmless(resumed.output, lines: resumed.output.filter { $0 == "\n" }.count)
        #expect(resumed.output.hasPrefix("run  ") && resumed.output.contains("X\nsteps  "), "\(resumed.output)")
    }

    @Test func `is told in one line where it is a text's`() throws {
        let place = try Workplace()
        try train("\(place.path)/run", in: place)
        let text = "\(place.path)/\(strange)"
        try FileManager.default.copyItem(atPath: try place.text(), toPath: text)
        let evaluated = try place.run(["evaluate", "\(place.path)/run", "--data", text])
        #expect(evaluated.code == 0 && evaluated.output.contains("\(shown): loss "), "\(evaluated)")
        expectHarmless(evaluated.output, lines: 1)
    }

    @Test func `is told in one line where it lies among the keys`() throws {
        let place = try Workplace()
        let keys = "\(place.path)/keys"
        #expect(try place.run(["keys", "new", keys]).code == 0)
        let coordinator = try place.start([
            "coordinator", "--bind", "tcp://127.0.0.1:*", "--keys", keys, "--fallback-after", "100000", "--set",
            "hello",
            "--steps", "3", "--run", "\(place.path)/run",
        ])
        #expect(coordinator.wait { coordinator.errors.contains("workers connect with: ") }, "\(coordinator.errors)")
        try FileManager.default.copyItem(
            atPath: "\(keys)/allowed/worker.key", toPath: "\(keys)/allowed/\(strange).key")
        #expect(coordinator.wait { coordinator.errors.contains("worker name '\(shown)'") })
        coordinator.signal(SIGTERM)
        let outcome = coordinator.wait()
        #expect(outcome.code == 143 && !outcome.errors.unicodeScalars.contains("\u{1B}"), "\(outcome)")
        let made = try place.run(["keys", "new", "\(place.path)/the keys"])
        #expect(made.output.hasPrefix("coordinator: --keys '\(place.path)/the keys'\n"), "\(made)")
    }

    @Test(arguments: [
        "runs/text-lstm-1", "a run", "it's", "$HOME", "tab\there", strange, "'\\\u{7F}9", "-x", "日本/é", "a;b&c",
        "\u{202E}", "",
    ])
    func `is the same for a shell when it is copied from a command`(path: String) throws {
        let place = try Workplace()
        let word = path.shellWord
        let isVisible = word.unicodeScalars.allSatisfy { !$0.isUnprintable }
        #expect(isVisible)
        let outcome = try place.shell("printf '%s' \(word)")
        #expect(outcome.output == (path == "-x" ? "./-x" : path), "\(word)")
        if path.hasPrefix("runs/") || path.hasPrefix("日") { #expect(word == path) }
    }
}
