internal import Foundation
internal import Interchange
internal import Testing
internal import Training

@Suite struct `checkpoints` {
    typealias T = RunDirectoryTesting

    private func step(_ path: String, _ step: Int) -> String { path + "/checkpoints/step-0000000\(step)" }

    @Test func `what was written is read back`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 4, every: 2)
            let (newest, skipped) = try directory.newestCheckpoint()
            let checkpoint = try #require(newest)
            #expect(skipped.isEmpty)
            #expect(checkpoint.step == 4)
            #expect(checkpoint.ledgerHead == (try directory.readLedger().head))
            #expect(checkpoint.fileNames == ["optimizer.safetensors", "parameters.safetensors", "state.json"])
            let parameters = try checkpoint.tensors(CheckpointFile.parametersName)
            #expect(try parameters.floats("bias", shape: [2]) == [4.5, 4.625])
            #expect(try checkpoint.tensors(CheckpointFile.optimizerName).metadata == ["updates": "4"])
            #expect(try checkpoint.json("state.json") == ["step": 4])
            #expect(try T.read(path + "/latest") == Array("4\n".utf8))
            #expect(T.error { try checkpoint.bytes("none") }?.code == .damaged)
        }
    }

    @Test func `files larger than one piece keep every byte`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            let resumption = try run.resume()
            try resumption.ledger.append(T.entry(1))
            let values = (0..<300_007).map { Float($0) }
            try run.writeCheckpoint(
                [.tensors("parameters.safetensors", [NamedTensor(name: "w", shape: [values.count], values: values)])],
                after: resumption.ledger)
            let checkpoint = try #require(try run.directory.newestCheckpoint().checkpoint)
            #expect(try checkpoint.tensors("parameters.safetensors").floats("w") == values)
        }
    }

    @Test func `the newest few stay and nothing else does`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 9, every: 2, keep: 2)
            #expect(try directory.checkpointSteps() == [8, 6])
            #expect(try T.names(in: path + "/checkpoints") == ["step-00000006", "step-00000008"])
            #expect(try directory.checkpoint(step: 6).step == 6)
        }
    }

    @Test func `the best by validation loss stays beside the newest few`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            let resumption = try run.resume()
            let losses: [Double?] = [3, 1.5, nil, .nan, 1.5, 2, 1.25, 9]
            var kept: [[UInt64]] = []
            for (index, loss) in losses.enumerated() {
                let step = UInt64(index + 1)
                try resumption.ledger.append(T.entry(step))
                try run.writeCheckpoint(T.files(step), after: resumption.ledger, keep: 2, validationLoss: loss)
                kept.append(try run.directory.checkpointSteps())
            }
            #expect(kept == [[1], [2, 1], [3, 2], [4, 3, 2], [5, 4, 2], [6, 5, 2], [7, 6], [8, 7]])
            #expect(try run.directory.newestCheckpoint().checkpoint?.step == 8)
        }
    }

    @Test func `a step written twice is one checkpoint`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            let resumption = try run.resume()
            try T.advance(run, resumption, to: 2, every: 2)
            try run.writeCheckpoint(T.files(2), after: resumption.ledger)
            #expect(try run.directory.newestCheckpoint().checkpoint?.step == 2)
            try run.writeCheckpoint(T.files(7), after: resumption.ledger)
            #expect(try run.directory.newestCheckpoint().checkpoint?.json("state.json") == ["step": 7])
            #expect(try T.names(in: path + "/checkpoints") == ["step-00000002"])
        }
    }

    @Test func `damage to the newest is named and the one before it is taken`() throws {
        let damages: [(String, String, (String) throws -> Void)] = [
            ("a missing file", "cannot open", { try FileManager.default.removeItem(atPath: $0 + "/state.json") }),
            (
                "a missing manifest", "cannot open",
                { try FileManager.default.removeItem(atPath: $0 + "/manifest.json") }
            ),
            (
                "a longer file", "bytes; the manifest says",
                { try T.write(T.read($0 + "/state.json") + [0], to: $0 + "/state.json") }
            ),
            (
                "a manifest of another step", "it is of step 2, not 4",
                {
                    try T.write(T.read($0 + "/../step-00000002/manifest.json"), to: $0 + "/manifest.json")
                }
            ),
            (
                "a link in place of a file", "cannot open",
                {
                    try FileManager.default.removeItem(atPath: $0 + "/state.json")
                    try FileManager.default.createSymbolicLink(
                        atPath: $0 + "/state.json", withDestinationPath: "../step-00000002/state.json")
                }
            ),
            (
                "a directory in place of a file", "Is a directory",
                {
                    try FileManager.default.removeItem(atPath: $0 + "/state.json")
                    try FileManager.default.createDirectory(
                        atPath: $0 + "/state.json", withIntermediateDirectories: true)
                }
            ),
            (
                "a link in place of the checkpoint", "not a directory",
                {
                    try FileManager.default.removeItem(atPath: $0)
                    try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "step-00000002")
                }
            ),
        ]
        for (what, expected, damage) in damages {
            try T.withPath { path in
                let directory = try T.makeRun(path, to: 4, every: 2)
                try damage(step(path, 4))
                let (checkpoint, skipped) = try directory.newestCheckpoint()
                #expect(checkpoint?.step == 2, "\(what)")
                #expect(skipped.count == 1, "\(what)")
                #expect(skipped.first?.hasPrefix("checkpoint of step 4 skipped: ") == true, "\(what): \(skipped)")
                #expect(skipped.first?.contains(expected) == true, "\(what): \(skipped)")
            }
        }
    }

    @Test func `every truncation and a thousand bit flips are noticed`() throws {
        var generator = T.Generator(T.seed)
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 4, every: 2)
            let files = try T.names(in: step(path, 4)).map { name in
                (path: step(path, 4) + "/" + name, bytes: try T.read(step(path, 4) + "/" + name))
            }
            for file in files {
                for count in file.bytes.indices {
                    try T.write(file.bytes.prefix(count), to: file.path)
                    // What a manifest says is sealed, and whole without its last newline.
                    let isWhole = file.path.hasSuffix("/manifest.json") && count == file.bytes.count - 1
                    #expect(
                        (T.error { try directory.checkpoint(step: 4) } == nil) == isWhole,
                        "\(file.path): the first \(count) bytes")
                }
                try T.write(file.bytes, to: file.path)
            }
            for _ in 0..<1000 {
                let file = files.randomElement(using: &generator)!
                let (place, bit) = (
                    Int.random(in: file.bytes.indices, using: &generator), UInt8.random(in: 0..<8, using: &generator)
                )
                var bytes = file.bytes
                bytes[place] ^= 1 << bit
                try T.write(bytes, to: file.path)
                #expect(
                    T.error { try directory.checkpoint(step: 4) } != nil, "\(file.path): bit \(bit) of byte \(place)")
                try T.write(file.bytes, to: file.path)
            }
            #expect(try directory.newestCheckpoint().checkpoint?.step == 4)
        }
    }

    @Test func `a change between verifying and reading is noticed`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 2, every: 2)
            let checkpoint = try #require(try directory.newestCheckpoint().checkpoint)
            var bytes = try T.read(step(path, 2) + "/parameters.safetensors")
            bytes[bytes.count - 1] ^= 1
            try T.write(bytes, to: step(path, 2) + "/parameters.safetensors")
            #expect(T.error { try checkpoint.tensors("parameters.safetensors") }?.code == .damaged)
        }
    }

    @Test func `a run none of whose checkpoints verifies is an error that names them`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 4, every: 2)
            for number in [2, 4] { try T.write([], to: step(path, number) + "/manifest.json") }
            let error = T.error { try directory.newestCheckpoint() }
            #expect(error?.code == .damaged)
            #expect(
                error?.message.contains("step 2 skipped") == true && error?.message.contains("step 4 skipped") == true)
            let held = try directory.hold()
            #expect(T.error { try held.resume() }?.code == .damaged)
            #expect(try directory.readLedger().steps == 4, "nothing is cut when nothing can be resumed")
        }
    }

    @Test func `what a killed writer left is put in order at the next start`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 6, every: 2)
            let manager = FileManager.default
            let checkpoints = path + "/checkpoints"
            // Whole but for its name; the beginning of one; one on its way out; a file of the run half written.
            try manager.moveItem(atPath: step(path, 6), toPath: checkpoints + "/.writing-step-00000006")
            try manager.copyItem(atPath: step(path, 4), toPath: checkpoints + "/.writing-step-00000008")
            try manager.removeItem(atPath: checkpoints + "/.writing-step-00000008/manifest.json")
            try manager.copyItem(atPath: step(path, 2), toPath: checkpoints + "/.removing-step-00000000")
            try T.write([1], to: path + "/.tmp-latest")
            #expect(try directory.newestCheckpoint().checkpoint?.step == 4, "a reader leaves all that alone")

            let held = try directory.hold()
            #expect(held.notes.count == 4)
            #expect(try T.names(in: checkpoints) == ["step-00000002", "step-00000004", "step-00000006"])
            #expect(!(try T.names(in: path)).contains(".tmp-latest"))
            #expect(try held.resume().checkpoint?.step == 6)
        }
    }

    @Test func `a checkpoint that could not be used does not crowd out the new ones`() throws {
        try T.withPath { path in
            let directory = try T.makeRun(path, to: 6, every: 2)
            try T.write([], to: step(path, 6) + "/state.json")
            let held = try directory.hold()
            let resumption = try held.resume()
            #expect(resumption.checkpoint?.step == 4)
            try resumption.ledger.append(T.entry(5))
            try held.writeCheckpoint(T.files(5), after: resumption.ledger, keep: 1)
            #expect(try directory.newestCheckpoint().checkpoint?.step == 5)
            try T.advance(held, resumption, to: 6, every: 6, keep: 1)
            #expect(try directory.newestCheckpoint().skipped.isEmpty)
            #expect(try directory.checkpointSteps() == [6])
        }
    }

    @Test func `a write that fails leaves what was there`() throws {
        try T.withPath { path in
            let run = try RunDirectory.create(at: path, configuration: T.Settings())
            let resumption = try run.resume()
            try T.advance(run, resumption, to: 2, every: 2)
            try resumption.ledger.append(T.entry(3))
            // A directory cannot be replaced by a file: the last of the writes fails.
            try FileManager.default.removeItem(atPath: path + "/latest")
            try FileManager.default.createDirectory(atPath: path + "/latest/x", withIntermediateDirectories: true)
            #expect(T.error { try run.writeCheckpoint(T.files(3), after: resumption.ledger) }?.code == .file)
            #expect(try run.directory.newestCheckpoint().checkpoint?.step == 3)
            #expect(!(try T.names(in: path)).contains(".tmp-latest"))
        }
    }

    @Test func `the hash of a model is over its numbers in byte order of their names`() {
        let tensors = [
            NamedTensor(name: "b", shape: [1], values: [2]), NamedTensor(name: "a", shape: [1], values: [1]),
            NamedTensor(name: "B", shape: [1], values: [0]),
        ]
        // sha256 of 00000000 0000803f 00000040.
        #expect(parametersSHA256(tensors) == "75664b4da1c08de9e8fad52303cc458b3e420edde6591e58761e138cc5e3f163")
        #expect(parametersSHA256(tensors.reversed()) == parametersSHA256(tensors))
    }
}
