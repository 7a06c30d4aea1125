internal import Foundation
internal import Interchange
package import Sequences
internal import Layers
internal import TensorCore

/// A run as it was saved last, for sampling and evaluation.
package struct TrainedRun {
    package let record: RunRecord
    package let model: LanguageModel
    /// The step of the checkpoint that was taken.
    package let step: UInt64
    /// What was skipped on the way to it.
    package let notes: [String]

    /// - Throws: `RunError` when there is no run, or none of its checkpoints verifies.
    package init(path: String) throws {
        let directory = try RunDirectory(path)
        let record = try RunRecord(reading: directory, for: .inference)
        var attempt = 1
        while true {
            let listed = try directory.checkpointSteps()
            let saved = Result { try Self.newest(of: record, in: directory) }
            if attempt < Self.attempts, (try? saved.get())?.skipped.isEmpty != true,
                try Self.mayBeAnother(directory, since: listed, attempt)
            {
                attempt += 1
                continue
            }
            let found = try saved.get()
            (self.record, model, step, notes) = (record, found.model, found.step, found.skipped)
            return
        }
    }

    /// How many times the newest checkpoint is asked for where whoever trains the run lets go of it while it is read.
    private static let attempts = 50

    /// Whether the newest checkpoint may be another by now than when the steps were listed.
    private static func mayBeAnother(
        _ directory: RunDirectory, since listed: [UInt64], _ attempt: Int
    ) throws(RunError) -> Bool {
        if try directory.checkpointSteps() != listed { return true }
        // One whose validation was made up for is written again, and is not there for a moment.
        guard attempt <= 3, RunLock.isHeld(directory.path) else { return false }
        Thread.sleep(forTimeInterval: 0.05)
        return true
    }

    private static func newest(
        of record: RunRecord, in directory: RunDirectory
    ) throws -> (model: LanguageModel, step: UInt64, skipped: [String]) {
        let path = directory.path
        let (checkpoint, skipped) = try directory.newestCheckpoint(of: record.configuration.steps)
        guard let checkpoint else {
            throw RunError(.notARun, "\(path): no checkpoint yet; `lockstep resume \(path.shellWord)` trains it")
        }
        try record.requireModel(of: checkpoint, path: path)
        let computer = ShardComputer(record.configuration.model(vocabularySize: record.vocabulary.count))
        try computer.load(checkpoint.tensors(CheckpointFile.parametersName))
        return (computer.model, checkpoint.step, skipped)
    }

    package var configuration: RunConfiguration { record.configuration }
    package var vocabulary: Vocabulary { record.vocabulary }

    /// What a sample begins with when nothing else is said.
    package var defaultPrompt: String {
        switch configuration.data {
        case .generated(.addition): "47+385="
        case .generated(.reber): "B"
        case .generated(.hello): "hello"
        // The beginning of a line where the text has lines, else its first symbol.
        case .text: (try? vocabulary.encode("\n")) != nil ? "\n" : vocabulary.decode([0])
        }
    }

    /// What the model reads out of a prompt symbol by symbol, for a set that transcribes (`hello` → `ohlol`); nil for sets that go on.
    package func transcription(of prompt: [Int32]) -> [Int32]? {
        guard configuration.data == .generated(.hello) else { return nil }
        return withoutGradients { model(IntTensor(prompt, shape: [prompt.count, 1])).logits.argmaxOfRows() }
    }

    /// Whether a sequence of a generated set has come to its end; a text has none.
    package func isOver(_ tokens: [Int32]) -> Bool {
        switch configuration.data {
        case .generated(.addition): tokens.last == AdditionSum.newline
        case .generated(.reber): ReberGrammar.isOver(tokens)
        case .generated(.hello), .text: false
        }
    }

    /// The mean loss of a text's symbols after the first, in one pass with carried state.
    package func evaluate(_ text: Text) -> (loss: Double, tokens: Int) {
        withoutGradients {
            var state: RecurrentState?
            var (sum, counted) = (0.0, 0)
            let stretch = 256
            for start in stride(from: 0, to: text.count - 1, by: stretch) {
                let tokens = text.tokens(in: start..<min(start + stretch + 1, text.count))
                let (logits, next) = model(
                    IntTensor(Array(tokens.dropLast()), shape: [tokens.count - 1, 1]), state: state)
                for loss in crossEntropySum(logits, targets: Array(tokens.dropFirst())).each.values {
                    sum += Double(loss)
                }
                counted += tokens.count - 1
                state = next
            }
            return (counted == 0 ? 0 : sum / Double(counted), counted)
        }
    }
}

extension RunRecord {
    /// Refuses to use what was trained as another model, which may have parameters of the same names and shapes.
    ///
    /// - Throws: `RunError.changed`, which names what has changed since the checkpoint was written.
    fileprivate func requireModel(of checkpoint: Checkpoint, path: String) throws(RunError) {
        guard let before = try SessionState.read(checkpoint)?.record else { return }
        let isSame =
            before.vocabulary == vocabulary
            && before.configuration.model(vocabularySize: vocabulary.count)
                == configuration.model(vocabularySize: vocabulary.count)
        guard !isSame else { return }
        let changes = try before.differences(from: self) + (before.vocabulary == vocabulary ? [] : ["vocabulary"])
        throw RunError(
            .changed,
            "\(path)/run.json: not of the model that was trained up to step \(checkpoint.step): \(changes.joined(separator: "; ")); expected the settings that the run began with"
        )
    }
}
