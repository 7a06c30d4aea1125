internal import Foundation
internal import Testing
internal import Training

@Suite struct `the ledger` {
    typealias T = RunDirectoryTesting

    private func ledger(_ path: String) -> String { path + "/ledger.jsonl" }

    @Test func `entries are read back in order and end in the writer's head`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            let writer = try run.resume().ledger
            #expect(writer.head == String(repeating: "0", count: 64))
            var entries = (1...20).map { T.entry($0) }
            entries[4].loss = .nan
            entries[5].loss = -.infinity
            entries[6].gradient = []
            entries[7].loss = .leastNonzeroMagnitude
            entries[8].tokens = .max
            entries[9].shards = [1, .max]
            entries[10].parametersSHA256 = String(repeating: "a7", count: 32)
            (entries[11].shards, entries[11].parametersSHA256) = ([0], String(repeating: "0", count: 64))
            for entry in entries { try writer.append(entry) }
            var read: [LedgerEntry] = []
            let reading = try run.directory.readLedger { read.append($0) }
            #expect(read == entries)
            #expect(
                reading.steps == 20 && reading.head == writer.head && reading.fault == nil && reading.tornBytes == 0)
        }
    }

    @Test func `a line is one JSON object whose hash can be recomputed from its bytes`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            let writer = try run.resume().ledger
            try writer.append(
                LedgerEntry(step: 1, batch: 0xAB, gradient: [1], parameters: [2, 3], loss: 0.5, tokens: 64))
            let zeros = String(repeating: "0", count: 64)
            let hashed =
                #"{"step":1,"batch":"00000000000000ab","gradient":"0000000000000001","#
                + #""parameters":"00000000000000020000000000000003","loss":0.5,"loss_bits":"3fe0000000000000","#
                + #""tokens":64,"previous":"\#(zeros)""#
            let line = hashed + #","hash":"\#(writer.head)"}"# + "\n"
            #expect(String(decoding: try T.read(ledger(path)), as: UTF8.self) == line)
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
            // sha256sum of the text above.
            #expect(writer.head == "f726386879bab00e253c042ce8872e610d7479f0e4fb946d9214193541125859")
        }
    }

    @Test func `every edited byte is noticed at its line`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 3, every: 10)
            let whole = try T.read(ledger(path))
            var line: UInt64 = 1
            for (place, byte) in whole.enumerated() {
                for change: UInt8 in [0x01, 0x20, 0x80] {
                    var bytes = whole
                    bytes[place] = byte ^ change
                    try T.write(bytes, to: ledger(path))
                    let reading = try directory.readLedger()
                    #expect(reading.steps == line - 1, "byte \(place) changed by \(change)")
                    #expect(reading.fault != nil || reading.tornBytes > 0, "byte \(place) changed by \(change)")
                }
                if byte == UInt8(ascii: "\n") { line += 1 }
            }
        }
    }

    @Test func `lines left out, doubled or swapped are named`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 4, every: 10)
            let lines = try T.read(ledger(path)).split(separator: UInt8(ascii: "\n")).map {
                Array($0) + [UInt8(ascii: "\n")]
            }
            let cases: [([Int], UInt64, String)] = [
                ([0, 2, 3], 1, "line 2 is of step 3; expected step 2"),
                ([1, 2, 3], 0, "line 1 is of step 2; expected step 1"),
                ([0, 1, 1, 2], 2, "line 3 is of step 2; expected step 3"),
                ([0, 2, 1, 3], 1, "line 2 is of step 3; expected step 2"),
            ]
            for (order, steps, expected) in cases {
                try T.write(order.flatMap { lines[$0] }, to: ledger(path))
                let reading = try directory.readLedger()
                #expect(reading.steps == steps)
                #expect(reading.fault == "\(ledger(path)): \(expected)")
            }
        }
    }

    @Test func `a line of another chain does not fit`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 2, every: 10)
            let second = try T.read(ledger(path)).split(separator: UInt8(ascii: "\n"))[1]
            let other = try RunDirectory.create(at: path + "-other", configuration: T.Settings())
            var entry = T.entry(1)
            entry.loss += 1
            try other.resume().ledger.append(entry)
            try T.write(try T.read(ledger(path + "-other")) + second + [UInt8(ascii: "\n")], to: ledger(path))
            #expect(
                try directory.readLedger().fault == "\(ledger(path)): line 2 does not follow from the line before it")
        }
    }

    @Test func `a torn last line is dropped with a note and the chain goes on`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 5, every: 5)
            let whole = try T.read(ledger(path))
            try T.write(whole + whole.prefix(100), to: ledger(path))
            #expect(try directory.readLedger().tornBytes == 100)
            let held = try directory.hold()
            let resumption = try held.resume()
            #expect(resumption.notes == ["\(ledger(path)): the last line was cut short and was dropped (100 bytes)"])
            try T.advance(held, resumption, to: 7, every: 10)
            #expect(try directory.readLedger().steps == 7)
        }
    }

    @Test func `a resumed run ends in the ledger and metrics of one that never stopped`() throws {
        try T.withPath { path in
            try T.makeRun(path + "-whole", to: 12, every: 5)
            let directory = try T.makeRun(path, to: 8, every: 5)
            do {
                let held = try directory.hold()
                let resumption = try held.resume()
                #expect(resumption.checkpoint?.step == 5)
                #expect(resumption.notes == ["3 steps after the checkpoint are computed again: 6 to 8"])
                try T.advance(held, resumption, to: 12, every: 5)
            }
            for name in ["/ledger.jsonl", "/metrics.jsonl", "/latest"] {
                #expect(try T.read(path + name) == T.read(path + "-whole" + name), "\(name)")
            }
        }
    }

    @Test func `a run without a checkpoint resumes from its first step`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 3, every: 10)
            let resumption = try directory.hold().resume()
            #expect(resumption.checkpoint == nil)
            #expect(resumption.ledger.step == 0)
            #expect(try T.read(ledger(path)).isEmpty)
        }
    }

    @Test func `a checkpoint is resumed from only if the ledger vouches for it`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 6, every: 2)
            var bytes = try T.read(ledger(path))
            let newlines = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }
            // Line 5 is spoiled: the line of checkpoint 6 cannot be vouched for, that of checkpoint 4 can.
            bytes[newlines[3] + 20] ^= 1
            try T.write(bytes, to: ledger(path))
            let held = try directory.hold()
            let resumption = try held.resume()
            #expect(resumption.checkpoint?.step == 4)
            #expect(resumption.notes.first?.hasPrefix("checkpoint of step 6 skipped: \(ledger(path)): line 5 ") == true)
            try T.advance(held, resumption, to: 6, every: 2)
            #expect(try directory.readLedger().steps == 6)
            #expect(try directory.newestCheckpoint().checkpoint?.ledgerHead == resumption.ledger.head)
        }
    }

    @Test func `a ledger that is gone is not begun anew under checkpoints`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 4, every: 2)
            let head = try directory.readLedger().head
            try FileManager.default.removeItem(atPath: ledger(path))
            let held = try directory.hold()
            let resumption = try held.resume()
            #expect(resumption.checkpoint?.step == 4 && resumption.ledger.step == 4 && resumption.ledger.head == head)
            #expect(
                resumption.notes == [
                    "\(ledger(path)): ends at step 0; the line of the checkpoint is missing; no checkpoint has a line that holds; the run goes on from that of step 4, whose files are what its manifest says, and the ledger vouches for nothing between its last line before that and step 5: lockstep verify computes those steps again"
                ])
            try T.advance(held, resumption, to: 6, every: 2)
            #expect(try directory.readLedger().fault == "\(ledger(path)): line 1 is of step 5; expected step 1")
            // What is there by now vouches for what comes.
            #expect(try held.resume().checkpoint?.step == 6)
        }
    }

    @Test func `a checkpoint that the ledger speaks against is not gone on from`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 4, every: 4)
            let other = try RunDirectory.create(at: path + "-other", configuration: T.Settings())
            let foreign = try other.resume().ledger
            for step in UInt64(1)...5 {
                var entry = T.entry(step)
                entry.loss += 1
                try foreign.append(entry)
            }
            try T.write(T.read(ledger(path + "-other")), to: ledger(path))
            let error = T.error { try directory.hold().resume() }
            #expect(error?.code == .damaged)
            #expect(error?.message.contains("the line of step 4 is not the checkpoint's") == true)
            #expect(try T.read(ledger(path)) == T.read(ledger(path + "-other")))
        }
    }

    @Test func `metrics keep numbers that JSON has no word for`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            let resumption = try run.resume()
            try resumption.metrics.append(T.Record(step: 1, loss: .nan))
            try resumption.metrics.append(T.Record(step: 2, loss: 0.25))
            #expect(
                String(decoding: try T.read(path + "/metrics.jsonl"), as: UTF8.self) == """
                    {"loss":"NaN","step":1}
                    {"loss":0.25,"step":2}

                    """)
        }
    }
}
