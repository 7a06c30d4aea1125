import Foundation
import Testing
import Training

@Suite struct `A run's directory whose files say different things` {
    private func verify(_ place: borrowing RunPlace) throws -> VerificationResult {
        try RunVerification(path: "\(place.path)/run", steps: nil, threads: 1).run()
    }

    private func trained(upTo step: UInt64 = 12) throws -> RunPlace {
        let place = try RunPlace()
        try place.begin("run", try place.configuration()).train(upTo: step)
        return place
    }

    private func lines(_ place: borrowing RunPlace, _ name: String) throws -> [[UInt8]] {
        try place.bytes("run/\(name)").split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
    }

    private func flip(_ place: borrowing RunPlace, _ name: String) throws {
        var bytes = try place.bytes(name)
        bytes[bytes.count - 3] ^= 1
        try place.write(bytes, to: name)
    }

    private static func end(_ what: String, _ lines: [[UInt8]]) -> [UInt8] {
        switch what {
        case "its last line damaged": Array((lines[..<11] + [Array("x\n".utf8)]).joined())
        case "a damaged line for its last three": Array((lines[..<9] + [Array("x\n".utf8)]).joined())
        case "its last line torn": Array(lines.joined().dropLast(30))
        case "words for a ledger": Array("hi\n".utf8)
        default: []
        }
    }

    private static let ends = [
        "its last line damaged", "a damaged line for its last three", "its last line torn", "words for a ledger",
        "an empty ledger", "no ledger",
    ]

    @Test(arguments: ["ledger.jsonl", "metrics.jsonl"], [true, false])
    func `is written no further when a file that grows was replaced or removed`(name: String, isReplaced: Bool) throws {
        let place = try trained(upTo: 4)
        let session = try place.resume("run")
        let file = "\(place.path)/run/\(name)"
        let bytes = try place.bytes("run/\(name)")
        try FileManager.default.moveItem(atPath: file, toPath: "\(place.path)/aside")
        if isReplaced { try place.write(bytes, to: "run/\(name)") }
        do {
            try session.train(upTo: 12)
            Issue.record("not noticed")
        } catch let error as RunError {
            #expect(
                error.message.hasPrefix("\(file): moved, removed or replaced while the run was held; expected "),
                "\(error)")
            #expect(!error.isBadInput)
        }
        #expect(session.trainer.step == 6, "at the next checkpoint")
        #expect(try session.held.directory.checkpointSteps() == [4, 3])
        if isReplaced { #expect(try place.bytes("run/\(name)") == bytes) }
    }
}
