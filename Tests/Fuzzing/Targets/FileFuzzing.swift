internal import Foundation
internal import Interchange
internal import Sequences
internal import Training

/// A safetensors file: every tensor that is announced can be read, and the file can be written again.
enum SafetensorsFuzzing {
    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        guard let file = try? SafetensorsFile(bytes: bytes, name: "fuzzed") else { return }
        var tensors: [NamedTensor] = []
        for entry in file.entries {
            guard let content = try? file.bytes(entry.name), file[entry.name] == entry else {
                throw FuzzFinding(description: "\(entry) is announced and cannot be read")
            }
            try FuzzFinding.require(
                content.count == entry.type.byteCount(shape: entry.shape), "\(entry) has \(content.count) bytes")
            if entry.type == .float32 {
                let floats = try? file.floats(entry.name, shape: entry.shape)
                try FuzzFinding.require(4 * (floats?.count ?? -1) == content.count, "\(entry) cannot be read as floats")
            }
            tensors.append(NamedTensor(name: entry.name, shape: entry.shape, type: entry.type, bytes: content))
        }
        let written = SafetensorsWriter(tensors, metadata: file.metadata).bytes()
        guard let again = try? SafetensorsFile(bytes: written) else {
            throw FuzzFinding(description: "what is written of \(file.entries) cannot be read")
        }
        try FuzzFinding.require(
            again.metadata == file.metadata
                && Set(again.names.map { Array($0.utf8) }) == Set(file.names.map { Array($0.utf8) }),
            "written and read, the file has \(again.names) instead of \(file.names)")
        for name in file.names {
            try FuzzFinding.require((try? again.bytes(name)) == (try? file.bytes(name)), "\(name) is written otherwise")
        }
    }
}

/// `run.json`, and a model's description: settings that are taken can be used and are written as they were.
enum ConfigurationFuzzing {
    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        if let description = ModelDescription(decoding: bytes) {
            try FuzzFinding.require(
                ModelDescription(decoding: description.encoded()) == description, "\(description) is written otherwise")
        }
        let scratch = FuzzScratch.shared
        scratch.write(bytes, to: "run.json")
        guard let record = try? RunRecord(reading: scratch.run, for: .training) else { return }
        try FuzzFinding.require((try? record.differences(from: record)) == [], "\(record) differs from itself")
        let model = record.configuration.model(vocabularySize: record.vocabulary.count)
        try FuzzFinding.require(ModelDescription(decoding: model.encoded()) == model, "\(model) is written otherwise")
        if case .generated = record.configuration.data {
            guard let source = try? record.configuration.makeSource() else {
                throw FuzzFinding(description: "\(record.configuration) names a generated set and has no sequences")
            }
            _ = try? record.configuration.requireFit(source)
        }
    }
}

/// A vocabulary: every token is a symbol and every symbol the token that it came from.
enum VocabularyFuzzing {
    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        guard let vocabulary = try? JSONDecoder().decode(Vocabulary.self, from: Data(bytes)) else { return }
        let tokens = (0..<vocabulary.count).map { Int32($0) }
        let again = try? vocabulary.encode(vocabulary.decodeBytes(tokens))
        try FuzzFinding.require(again == tokens, "\(vocabulary.count) symbols come back as other tokens")
        guard let own = try? vocabulary.encode(bytes) else { return }
        try FuzzFinding.require(vocabulary.decodeBytes(own) == bytes, "a text comes back as another")
    }
}

/// A text: its tokens are its bytes again, and every batch is made of its tokens.
enum TextFuzzing {
    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        guard let settings = bytes.first else { return }
        let content = Array(bytes.dropFirst())
        let file = TextFile(path: "fuzzed", bytes: content)
        let (length, rows) = (1 + Int(settings & 7), 1 + Int(settings >> 3 & 7))
        guard let text = try? Text(file, mode: settings & 0x40 == 0 ? .characters : .bytes) else { return }
        let tokens = text.tokens(in: 0..<text.count)
        try FuzzFinding.require(text.vocabulary.decodeBytes(tokens) == content, "the text comes back as another")
        guard let parts = try? TextParts(text, sequenceLength: length, batchSize: rows) else { return }
        try check(TextWindows(parts, seed: 7), of: text, length, rows)
        if let streams = try? TextStreams(parts) { try check(streams, of: text, length, rows) }
    }

    private static func check(
        _ source: some SequenceSource, of text: Text, _ length: Int, _ rows: Int
    ) throws(FuzzFinding) {
        for step: UInt64 in [0, 1, 2, .max / 2] {
            let batch = source.batch(step: step)
            let valid = Int32(0)..<Int32(text.vocabulary.count)
            try FuzzFinding.require(
                batch.inputs.count == length * rows && batch.targets.count == length * rows
                    && (batch.inputs + batch.targets).allSatisfy(valid.contains), "step \(step): \(batch)")
        }
    }
}

/// A ledger: what holds together is counted to the byte.
enum LedgerFuzzing {
    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        let scratch = FuzzScratch.shared
        scratch.write(bytes, to: "ledger.jsonl")
        var entries: [LedgerEntry] = []
        guard let reading = try? scratch.run.readLedger({ entries.append($0) }) else { return }
        try FuzzFinding.require(
            entries.map(\.step) == (0..<reading.steps).map { $0 + 1 } && reading.byteCount <= bytes.count,
            "\(reading) of entries \(entries.map(\.step))")
        try FuzzFinding.require(
            reading.fault != nil || reading.byteCount + reading.tornBytes == bytes.count,
            "\(reading) of \(bytes.count) bytes")
    }
}

/// A checkpoint's manifest, and what a run's summary says.
enum ManifestFuzzing {
    static func run(_ bytes: [UInt8]) throws(FuzzFinding) {
        let scratch = FuzzScratch.shared
        scratch.write(bytes, to: "checkpoints/step-00000001/manifest.json")
        if let checkpoint = try? scratch.run.checkpoint(step: 1) {
            try FuzzFinding.require(checkpoint.step == 1, "the checkpoint of step 1 is of step \(checkpoint.step)")
            for name in checkpoint.fileNames {
                try FuzzFinding.require(!name.contains("/") && name != "..", "\(name) leads out of the checkpoint")
            }
        }
        scratch.write(bytes, to: "summary.json")
        guard let summary = try? scratch.run.summary(), let text = try? summary.json() else { return }
        scratch.write(Array(text.utf8), to: "summary.json")
        let again = try? scratch.run.summary()
        try FuzzFinding.require((try? again?.json()) == text, "the summary comes back as another: \(text)")
    }
}
