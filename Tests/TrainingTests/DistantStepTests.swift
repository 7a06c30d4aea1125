import Foundation
import Interchange
import Testing
import Training

private typealias T = RunDirectoryTesting

/// Numbers in a run's files that no run has, of files that are otherwise what they should be.
@Suite struct `A run with a step that it cannot have` {
    private static let last: UInt64 = 12

    /// Writes a checkpoint that has the files of another, with a word in its session.
    private func forge(
        _ place: borrowing RunPlace, of step: UInt64, head: String, from source: String,
        session change: (String) -> String = { $0 }
    ) throws {
        let from = "run/checkpoints/\(source)"
        let files = try FileManager.default.contentsOfDirectory(atPath: "\(place.path)/\(from)")
            .filter { $0 != "manifest.json" }
            .map { name in
                let bytes = try place.bytes("\(from)/\(name)")
                return CheckpointFile.bytes(
                    name, name == "session.json" ? Array(change(String(decoding: bytes, as: UTF8.self)).utf8) : bytes)
            }
        try RunDirectory("\(place.path)/run").hold()
            .writeCheckpoint(files, step: step, ledgerHead: head, keep: 10, validationLoss: nil)
    }

    private func trained() throws -> RunPlace {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: Self.last)
        return place
    }

    private func refusal(_ place: borrowing RunPlace) throws -> RunError? {
        do {
            _ = try place.resume("run")
            return nil
        } catch let error as RunError { return error }
    }

    @Test(arguments: [last + 1, 1 << 32, .max - 1, .max])
    func `goes on from the newest checkpoint of one that it has`(step: UInt64) throws {
        let place = try trained()
        let head = try RunDirectory("\(place.path)/run").readLedger().head
        try forge(place, of: step, head: head, from: "step-00000012")
        let excess =
            "checkpoint of step \(step) skipped: \(place.path)/run/checkpoints/step-\(String(repeating: "0", count: max(0, 8 - "\(step)".count)))\(step): of no step of this run; expected one up to 12, its last"
        let listener = Listener()
        do {
            let session = try place.resume("run", observer: listener)
            #expect(session.trainer.step == Self.last && session.isDone)
        }
        #expect(listener.notes.contains(excess), "\(listener.notes)")
        #expect(try TrainedRun(path: "\(place.path)/run").step == Self.last)
        // With no line of the ledger left, either.
        let ledger = try place.bytes("run/ledger.jsonl")
        try place.write([], to: "run/ledger.jsonl")
        #expect(try place.resume("run").trainer.step == Self.last)
        try place.write(ledger, to: "run/ledger.jsonl")
        for other in ["06", "09", "12"] {
            try FileManager.default.removeItem(atPath: "\(place.path)/run/checkpoints/step-000000\(other)")
        }
        let error = try #require(try refusal(place))
        #expect(error.isBadInput && error.message == "\(place.path)/run: no checkpoint can be used: \(excess)")
        #expect(try place.bytes("run/ledger.jsonl") == ledger)
        #expect(throws: RunError.self) { try TrainedRun(path: "\(place.path)/run") }
    }

    @Test func `drops the ledger's lines behind its last`() throws {
        try T.withPath { path in
            try T.makeRun(path, to: 7, every: 2)
            let resumption = try RunDirectory(path).hold().resume(runSteps: 5)
            #expect(resumption.checkpoint?.step == 4 && resumption.lostSteps == 1)
            #expect(
                resumption.notes.contains("1 steps after the checkpoint are computed again: 5 to 5")
                    && resumption.notes.contains(
                        "\(path)/ledger.jsonl: ends at step 7 of a run of 5; what is behind it was dropped"),
                "\(resumption.notes)")
        }
    }

    @Test(arguments: [(0, 0), (0, 3), (3, 2), (3, .max)] as [(UInt64, UInt64)])
    func `makes up for no validation of another step than its checkpoint's`(step: UInt64, pending: UInt64) throws {
        let place = try trained()
        let lines = try place.bytes("run/ledger.jsonl").split(separator: UInt8(ascii: "\n"))
        let line = String(decoding: lines[step == 0 ? 0 : Int(step) - 1], as: UTF8.self)
        let mark = step == 0 ? "\"previous\":\"" : "\"hash\":\""
        let head = String(try #require(line.components(separatedBy: mark).last?.prefix(64)))
        let record = #""pending": {"step": \#(pending), "loss": 1, "learning_rate": 1, "gradient_norm": 1}"#
        try forge(place, of: step, head: head, from: "step-00000006") { "{\(record),\($0.dropFirst())" }
        for other in ["06", "09", "12"] {
            try FileManager.default.removeItem(atPath: "\(place.path)/run/checkpoints/step-000000\(other)")
        }
        let ledger = try place.bytes("run/ledger.jsonl")
        let error = try #require(try refusal(place))
        let expected = step == 0 ? "none before the first step" : "step 3, as the checkpoint is"
        #expect(
            error.isBadInput
                && error.message
                    == "\(place.path)/run/checkpoints/step-0000000\(step)/session.json: `pending` is of step \(pending); expected \(expected)"
        )
        #expect(try place.bytes("run/ledger.jsonl") == ledger)
    }
}
