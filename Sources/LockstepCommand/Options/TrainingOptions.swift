import ArgumentParser
import Foundation
import Optimizers
import Sequences
import TensorCore
import Training

/// What is trained, and how. Anything left out takes the default of the data set.
struct TrainingOptions: ParsableArguments {
    @Option(help: "Train on this text file.", completion: .file())
    var data: String?

    @Option(help: "Train on a generated set: addition, reber or hello. Default: addition.")
    var set: String?

    @Option(help: "How a text becomes tokens: characters or bytes. Default: characters.")
    var tokens: String?

    @Flag(help: "Read the text as contiguous streams and carry the state from step to step.")
    var stream = false

    @Option(help: "What to train: language-model.")
    var task: String?

    @Option(help: "Recurrent cell: lstm, gru or rnn. Default: lstm.")
    var cell: String?

    @Option(help: "Activation of an rnn: tanh or relu. Default: tanh.")
    var nonlinearity: String?

    @Option(
        help:
            "What the factors of matrix products are rounded to: fp32 or bf16. Part of the result. Default: fp32.")
    var precision: String?

    @Option(parsing: .unconditional, help: "Width of the embedding.")
    var embeddingDim: Int?

    @Option(parsing: .unconditional, help: "Hidden units of a layer.")
    var hiddenSize: Int?

    @Option(parsing: .unconditional, help: "Recurrent layers.")
    var numLayers: Int?

    @Option(parsing: .unconditional, help: "Probability of dropping a value between layers.")
    var dropout: Float?

    @Option(parsing: .unconditional, help: "Time steps of a sequence.")
    var seqLen: Int?

    @Option(parsing: .unconditional, help: "Sequences of a step, over all workers.")
    var batchSize: Int?

    @Option(
        parsing: .unconditional,
        help:
            "Slices of a batch whose gradients are kept apart; a power of two. Part of the result, unlike the number of workers."
    )
    var shards: Int?

    @Option(parsing: .unconditional, help: "Learning rate.")
    var lr: Float?

    @Option(help: "Optimiser: adam, adamw, sgd or rmsprop. Default: adam.")
    var optimizer: String?

    @Option(help: "Learning rate over the run: constant, linear or cosine.")
    var schedule: String?

    @Option(parsing: .unconditional, help: "Steps over which the learning rate rises first.")
    var warmupSteps: UInt64?

    @Option(parsing: .unconditional, help: "Where a falling schedule ends, as a factor of --lr.")
    var minLrFactor: Double?

    @Option(parsing: .unconditional, help: "Bound of the gradients' global norm; 0 for none.")
    var clipNorm: Float?

    @Option(parsing: .unconditional, help: "Weight decay.")
    var weightDecay: Float?

    @Option(parsing: .unconditional, help: "Momentum of sgd or rmsprop. Default: 0.")
    var momentum: Float?

    @Flag(help: "Nesterov's momentum, for sgd.")
    var nesterov = false

    @Flag(help: "The largest average of squared gradients so far instead of the last, for adam and adamw.")
    var amsgrad = false

    @Option(parsing: .unconditional, help: "Optimiser updates.")
    var steps: UInt64?

    @Option(parsing: .unconditional, help: "Passes over the text, instead of --steps.")
    var epochs: Int?

    @Option(parsing: .unconditional, help: "Everything random follows from it.")
    var seed: UInt64?

    @Option(parsing: .unconditional, help: "Steps between validations.")
    var validationEvery: UInt64?

    @Option(parsing: .unconditional, help: "Steps between checkpoints.")
    var checkpointEvery: UInt64?

    @Option(
        parsing: .unconditional,
        help: "How many of the newest checkpoints stay, beside the one with the least validation loss. Default: 3.")
    var keepCheckpoints: Int?

    @Option(
        help: "Take the first parameters from this safetensors file; everything else of the run is new.",
        completion: .file())
    var initFrom: String?

    /// The file to begin from, if any; one that is far too long for the model is refused unread.
    func initialParameters(_ configuration: RunConfiguration, _ source: any SequenceSource) throws -> InitialParameters?
    {
        guard let initFrom else { return nil }
        guard !initFrom.isEmpty else { throw UsageError("--init-from '': expected a safetensors file") }
        return try InitialParameters(
            path: absolute(initFrom),
            limit: configuration.parameterFileLimit(vocabularySize: source.vocabulary.count))
    }

    /// Every setting, checked, and the sequences that they name.
    func resolve() throws -> (configuration: RunConfiguration, source: any SequenceSource) {
        var configuration = RunConfiguration(data: try dataSet())
        if let task, task != configuration.task {
            throw UsageError("--task '\(task)': \(Names([configuration.task]).sentence(for: task))")
        }
        try takeModel(&configuration)
        try takeOptimizer(&configuration)
        configuration.stream = stream
        configuration.keepCheckpoints = keepCheckpoints
        configuration.seqLen = seqLen ?? configuration.seqLen
        configuration.batchSize = batchSize ?? configuration.batchSize
        // A smaller batch has room for fewer shards.
        configuration.shards = shards ?? min(configuration.shards, largestPowerOfTwo(upTo: configuration.batchSize))
        configuration.seed = seed ?? configuration.seed
        configuration.validationEvery = validationEvery ?? configuration.validationEvery
        configuration.checkpointEvery = checkpointEvery ?? configuration.checkpointEvery
        configuration.steps = steps ?? configuration.steps
        if steps != nil, epochs != nil { throw UsageError("--steps and --epochs: expected one of the two") }
        try configuration.validate()
        let source = try configuration.makeSource()
        try configuration.requireMemory(vocabularySize: source.vocabulary.count)
        try configuration.requireFit(source)
        if let epochs {
            guard epochs > 0 else { throw UsageError("--epochs \(epochs): expected a positive whole number") }
            guard let each = source.stepsPerEpoch else {
                throw UsageError("--epochs \(epochs): a generated set has no epochs; expected --steps")
            }
            let (total, overflows) = UInt64(epochs).multipliedReportingOverflow(by: UInt64(each))
            guard !overflows, total < RunConfiguration.stepLimit else {
                let most = (RunConfiguration.stepLimit - 1) / UInt64(each)
                throw UsageError("--epochs \(epochs): of \(each) steps each; expected at most \(most) of them")
            }
            configuration.steps = total
            try configuration.validate()
        }
        return (configuration, source)
    }

    private func dataSet() throws -> RunConfiguration.DataSet {
        if let data {
            if let set { throw UsageError("--data \(data) and --set \(set): expected one of the two") }
            let mode = try choice(tokens, "--tokens", TextMode.self) ?? .characters
            guard !data.isEmpty else { throw UsageError("--data '': expected a text file") }
            return .text(path: absolute(data), mode: mode)
        }
        if let tokens { throw UsageError("--tokens \(tokens): expected a text (--data FILE)") }
        return .generated(try choice(set, "--set", GeneratedSet.self) ?? .addition)
    }

    private func takeModel(_ configuration: inout RunConfiguration) throws {
        configuration.cell = try choice(cell, "--cell", Cell.self) ?? configuration.cell
        configuration.nonlinearity =
            try choice(nonlinearity, "--nonlinearity", Nonlinearity.self) ?? configuration.nonlinearity
        if let nonlinearity, configuration.cell != .rnn {
            throw UsageError("--nonlinearity \(nonlinearity): expected --cell rnn, not \(configuration.cell.rawValue)")
        }
        configuration.precision = try choice(precision, "--precision", Precision.self)?.recorded
        configuration.embeddingDim = embeddingDim ?? configuration.embeddingDim
        configuration.hiddenSize = hiddenSize ?? configuration.hiddenSize
        configuration.numLayers = numLayers ?? configuration.numLayers
        configuration.dropout = dropout ?? configuration.dropout
    }

    private func takeOptimizer(_ configuration: inout RunConfiguration) throws {
        configuration.optimizer =
            try choice(optimizer, "--optimizer", RunConfiguration.OptimizerKind.self) ?? configuration.optimizer
        configuration.lr = lr ?? configuration.lr
        configuration.schedule.shape =
            try choice(schedule, "--schedule", LearningRateSchedule.Shape.self) ?? configuration.schedule.shape
        configuration.schedule.warmup = warmupSteps ?? configuration.schedule.warmup
        configuration.schedule.minimum = minLrFactor ?? configuration.schedule.minimum
        configuration.clipNorm = clipNorm ?? configuration.clipNorm
        configuration.weightDecay = weightDecay ?? configuration.weightDecay
        configuration.momentum = momentum ?? configuration.momentum
        if nesterov { configuration.nesterov = true }
        if amsgrad { configuration.amsgrad = true }
    }

    private func largestPowerOfTwo(upTo limit: Int) -> Int {
        limit < 1 ? 1 : 1 << (Int.bitWidth - 1 - limit.leadingZeroBitCount)
    }
}
