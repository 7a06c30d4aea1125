import Foundation
import Testing

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `The verify and diff commands` {
    private let small = [
        "--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "16", "--seq-len", "12", "--steps", "30",
        "--checkpoint-every", "10",
    ]

    @Test func `find a run on workers identical to one without, and to its own recomputation`() throws {
        let place = try Workplace()
        let common = ["train", "--data", try place.text(), "--json"] + small
        #expect(try place.run(common + ["--run", "\(place.path)/a", "--workers", "2"]).code == 0)
        #expect(try place.run(common + ["--run", "\(place.path)/b"]).code == 0)
        let verified = try place.run(["verify", "\(place.path)/a", "--json"])
        #expect(verified.code == 0 && verified.member("identical") == "1", "\(verified)")
        #expect(verified.member("checkpoints_compared") == "3" && verified.member("metrics_compared") == "30")
        #expect(verified.member("summary_compared") == "1")
        let part = try place.run(["verify", "\(place.path)/a", "--steps", "15..17"])
        #expect(
            part.output
                == "identical: steps 15 to 17 recomputed from the checkpoint of step 10, 0 checkpoints and 3 records of metrics compared; nothing is said of the other 27 steps of the ledger\n"
        )
        let compared = try place.run(["diff", "\(place.path)/a", "\(place.path)/b"])
        #expect(compared.code == 0 && compared.output == "identical: steps 1 to 30\n", "\(compared)")
    }

    @Test func `name the first step that differs and end with 1`() throws {
        let place = try Workplace()
        let common = ["train", "--data", try place.text()] + small
        #expect(try place.run(common + ["--run", "\(place.path)/a"]).code == 0)
        #expect(try place.run(common + ["--run", "\(place.path)/b", "--weight-decay", "0.1"]).code == 0)
        let compared = try place.run(["diff", "\(place.path)/a", "\(place.path)/b"])
        #expect(compared.code == 1 && compared.output.hasPrefix("step 1: differs in parameters of "), "\(compared)")
        #expect(compared.errors.hasPrefix("settings differ in weightDecay: 0 and 0.1"), "\(compared)")
        // Other settings in run.json are those of another run.
        let record = "\(place.path)/a/run.json"
        let text = try String(contentsOfFile: record, encoding: .utf8)
        let changed = text.replacingOccurrences(of: #""weightDecay" : 0"#, with: #""weightDecay" : 0.1"#)
        #expect(changed != text)
        try changed.write(toFile: record, atomically: true, encoding: .utf8)
        let edited = try place.run(["verify", "\(place.path)/a"])
        #expect(edited.code == 2 && edited.output.isEmpty)
        #expect(edited.errors.contains("a/run.json: changed since the run began: weightDecay: 0 and 0.1"), "\(edited)")
        try text.write(toFile: record, atomically: true, encoding: .utf8)
        let metrics = "\(place.path)/a/metrics.jsonl"
        let forged = try String(contentsOfFile: metrics, encoding: .utf8).replacing(
            try Regex(#""loss":[0-9.]*"#), with: #""loss":0.5"#, maxReplacements: 1)
        try forged.write(toFile: metrics, atomically: true, encoding: .utf8)
        let verified = try place.run(["verify", "\(place.path)/a", "--json"])
        #expect(verified.code == 1 && verified.member("identical") == "0", "\(verified)")
        let wrong = try place.run(["verify", "\(place.path)/a", "--steps", "9..31"])
        #expect(wrong.code == 2 && wrong.errors.contains("expected steps from 1 to 30"), "\(wrong)")
        #expect(try place.run(["verify", "\(place.path)/a", "--steps", "9.."]).code == 2)
    }
}
