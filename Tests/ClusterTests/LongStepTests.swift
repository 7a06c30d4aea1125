import Foundation
import Testing

@Suite(.serialized, .tags(.processes), .timeLimit(.minutes(3)))
struct `A step that takes long` {
    /// About ten seconds on one thread of a fast machine.
    private static let long = [
        "train", "--threads", "1", "--hidden-size", "2048", "--embedding-dim", "256", "--batch-size", "128",
        "--seq-len",
        "128", "--json",
    ]

    @Test func `is given up when the run is to stop, and the run stays what it was`() throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        let process = try place.start(Self.long + ["--data", try place.text(), "--run", run])
        #expect(process.wait { FileManager.default.fileExists(atPath: "\(run)/ledger.jsonl") })
        usleep(1_500_000)
        process.signal(SIGTERM)
        let outcome = process.wait()
        #expect(outcome.code == 143 && outcome.member("steps") == "0", "\(outcome)")
        #expect(outcome.errors.contains("stopped after step 0; to go on"), "\(outcome)")
        #expect(try Data(contentsOf: URL(filePath: "\(run)/ledger.jsonl")).isEmpty)
    }
}
