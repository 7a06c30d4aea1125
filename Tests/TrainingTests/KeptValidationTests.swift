import Foundation
import Sequences
import Synchronization
import Testing
import Training

/// Says that it is time to stop after so many batches.
private final class Patience: Sendable {
    private let asked = Mutex(0)
    private let batches: Int
    init(_ batches: Int) { self.batches = batches }
    var count: Int { asked.withLock { $0 } }
    var isOver: @Sendable () -> Bool {
        { [self] in
            asked.withLock { asked in
                asked += 1
                return asked > batches
            }
        }
    }
}

@Suite struct `A validation that is left off` {
    private func left(_ place: borrowing RunPlace, after batches: Int) throws {
        let session = try place.begin("run", try place.configuration())
        try session.step(upTo: 3)
        let patience = Patience(batches)
        try session.step(upTo: 4, shouldStop: patience.isOver)
        _ = try session.finish()
    }

    @Test func `is gone on from where it was, however often, and comes to the same bits`() throws {
        let place = try RunPlace()
        let batches = try place.configuration().makeSource().validation.count
        try #require(batches >= 3)
        try left(place, after: 1)
        #expect(FileManager.default.fileExists(atPath: "\(place.path)/run/validation.json"))
        #expect(try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().isIdentical)
        do {
            let session = try place.resume("run")
            let patience = Patience(1)
            try session.catchUp(patience.isOver)
            _ = try session.finish()
        }
        #expect(try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().isIdentical)
        do {
            let session = try place.resume("run")
            let patience = Patience(1000)
            try session.catchUp(patience.isOver)
            // One batch in each of the two attempts before.
            #expect(patience.count == batches - 2)
            try session.train(upTo: 12)
        }
        #expect(!FileManager.default.fileExists(atPath: "\(place.path)/run/validation.json"))
        try place.begin("whole", try place.configuration()).train(upTo: 12)
        #expect(try place.bytes("run/metrics.jsonl") == place.bytes("whole/metrics.jsonl"))
        #expect(try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().isIdentical)
    }

    @Test func `is gone on from when the run had to go back behind it`() throws {
        let place = try RunPlace()
        try left(place, after: 1)
        try FileManager.default.removeItem(atPath: "\(place.path)/run/checkpoints/step-00000004")
        let session = try place.resume("run")
        #expect(session.trainer.step == 3)
        let patience = Patience(1000)
        try session.step(upTo: 4, shouldStop: patience.isOver)
        #expect(patience.count == session.trainer.source.validation.count - 1)
    }

    @Test func `begins anew when what is there of it is damaged, and verify names that`() throws {
        let place = try RunPlace()
        try left(place, after: 1)
        let file = "\(place.path)/run/validation.json"
        let damaged = String(decoding: try place.bytes("run/validation.json"), as: UTF8.self).replacing(
            "\"batches\" : 1", with: "\"batches\" : 2")
        try place.write(Array(damaged.utf8), to: "run/validation.json")
        let sentence = "\(file): not what its seal was made from; expected it as the run wrote it"
        #expect(try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().finding == sentence)
        let listener = Listener()
        let session = try place.resume("run", observer: listener)
        let patience = Patience(1000)
        try session.catchUp(patience.isOver)
        #expect(patience.count == session.trainer.source.validation.count)
        #expect(listener.notes.contains("\(sentence); removed, and the validation of step 4 begins anew"))
    }

    @Test func `is compared by verify with what its batches come to`() throws {
        let place = try RunPlace()
        try left(place, after: 1)
        // That of a run whose parameters are others: sealed, and of no use here.
        do {
            let other = try RunPlace()
            var configuration = try other.configuration()
            configuration.seed = 5
            let session = try other.begin("run", configuration)
            try session.step(upTo: 3)
            try session.step(upTo: 4, shouldStop: Patience(1).isOver)
            _ = try session.finish()
            try place.write(other.bytes("run/validation.json"), to: "run/validation.json")
        }
        let finding = try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run().finding
        #expect(finding?.hasPrefix("step 4: the ledger is identical, but not validation.json: ledger_head is ") == true)
        let session = try place.resume("run")
        let patience = Patience(1000)
        try session.catchUp(patience.isOver)
        #expect(patience.count == session.trainer.source.validation.count)
    }
}
