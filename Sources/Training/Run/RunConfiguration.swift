package import Optimizers
package import Sequences
package import TensorCore

/// Every setting of a run, as `run.json` keeps it. The trained bits follow from it and from the data alone.
package struct RunConfiguration: Codable, Sendable, Equatable {
    /// What is trained on.
    package enum DataSet: Codable, Sendable, Equatable {
        case generated(GeneratedSet)
        /// A text file; its path is absolute.
        case text(path: String, mode: TextMode)
    }

    package enum OptimizerKind: String, Codable, Sendable, CaseIterable {
        case adam, adamw, sgd, rmsprop
    }

    package static let languageModel = "language-model"
    package var task = languageModel
    package var data: DataSet
    /// Contiguous streams with carried state instead of windows.
    package var stream = false

    package var cell = Cell.lstm
    package var nonlinearity = Nonlinearity.tanh
    package var embeddingDim: Int
    package var hiddenSize: Int
    package var numLayers: Int
    package var dropout: Float = 0

    /// Of the matrix products; nil is fp32, as in a run that was begun before there was a choice.
    package var precision: Precision?

    package var seqLen: Int
    /// B of the global batch.
    package var batchSize: Int
    /// S; a power of two, at most `batchSize`.
    package var shards: Int

    package var optimizer = OptimizerKind.adam
    package var lr: Float
    package var schedule: LearningRateSchedule
    package var weightDecay: Float = 0
    // Nil in a run that was begun before there was a choice, and where the optimiser has no such setting.
    package var momentum: Float?
    package var nesterov: Bool?
    package var amsgrad: Bool?
    /// Bound of the gradients' global norm; 0 for none.
    package var clipNorm: Float = 1

    package var steps: UInt64
    package var seed: UInt64 = 0
    package var validationEvery: UInt64
    package var checkpointEvery: UInt64
    /// How many of the newest checkpoints stay beside the best; nil for `defaultCheckpointsKept`.
    package var keepCheckpoints: Int?

    package static let defaultCheckpointsKept = 3
    /// The most sequences of a step.
    static let batchLimit = 1 << 24
    /// A run has fewer steps than this.
    package static let stepLimit: UInt64 = 1 << 32
    var checkpointsKept: Int { keepCheckpoints ?? Self.defaultCheckpointsKept }

    /// The settings that a data set is trained with when nothing else is said.
    package init(data: DataSet) {
        self.data = data
        switch data {
        case .generated(.addition):
            (embeddingDim, hiddenSize, numLayers) = (32, 128, 1)
            (seqLen, batchSize, shards, steps) = (12, 256, 8, 5000)
            (lr, schedule) = (4e-3, LearningRateSchedule(shape: .cosine))
            (validationEvery, checkpointEvery) = (500, 1000)
        case .generated(.reber):
            (embeddingDim, hiddenSize, numLayers) = (8, 32, 1)
            (seqLen, batchSize, shards, steps) = (31, 32, 8, 1500)
            (lr, schedule) = (5e-3, LearningRateSchedule(shape: .cosine))
            (validationEvery, checkpointEvery) = (250, 500)
        case .generated(.hello):
            (embeddingDim, hiddenSize, numLayers) = (10, 8, 2)
            (seqLen, batchSize, shards, steps) = (5, 1, 1, 100)
            (lr, schedule) = (0.05, LearningRateSchedule(shape: .constant))
            (validationEvery, checkpointEvery) = (50, 100)
        case .text:
            (embeddingDim, hiddenSize, numLayers, dropout) = (64, 256, 2, 0.2)
            (seqLen, batchSize, shards, steps) = (64, 64, 8, 3000)
            (lr, schedule) = (2e-3, LearningRateSchedule(shape: .cosine, minimum: 0.05))
            (validationEvery, checkpointEvery) = (250, 500)
        }
    }

    package func model(vocabularySize: Int) -> ModelDescription {
        ModelDescription(
            cell: cell, vocabularySize: vocabularySize, embeddingDim: embeddingDim, hiddenSize: hiddenSize,
            numLayers: numLayers, dropout: dropout, nonlinearity: nonlinearity, precision: precision, seed: seed)
    }
}

extension RunConfiguration {
    func makeOptimizer(_ parameters: [Parameter]) -> ElementwiseOptimizer {
        let (rate, decay, momentum) = (Double(lr), Double(weightDecay), Double(momentum ?? 0))
        return switch optimizer {
        case .adam: Adam(parameters, learningRate: rate, weightDecay: decay, amsgrad: amsgrad ?? false)
        case .adamw: AdamW(parameters, learningRate: rate, weightDecay: decay, amsgrad: amsgrad ?? false)
        case .sgd:
            SGD(parameters, learningRate: rate, momentum: momentum, weightDecay: decay, nesterov: nesterov ?? false)
        case .rmsprop: RMSprop(parameters, learningRate: rate, weightDecay: decay, momentum: momentum)
        }
    }
}

/// A setting that cannot be used.
package struct ConfigurationError: Error, CustomStringConvertible {
    /// One line: what, where, what was expected.
    package let description: String
}

extension RunConfiguration {
    /// Checks every setting against its range and against the others.
    ///
    /// - Parameter isBegun: whether they are of a run that is there already, maybe begun by a version that let more pass.
    package func validate(isBegun: Bool = false) throws(ConfigurationError) {
        try require(task == Self.languageModel, "--task '\(task)': expected \(Self.languageModel)")
        for (flag, value, limit) in [
            ("--embedding-dim", embeddingDim, 1 << 20), ("--hidden-size", hiddenSize, 1 << 20),
            ("--num-layers", numLayers, 255),
            ("--seq-len", seqLen, 1 << 24 - 1), ("--batch-size", batchSize, Self.batchLimit),
            ("--shards", shards, 1 << 16),
        ] {
            try require(value >= 1 && value <= limit, "\(flag) \(value): expected a whole number from 1 to \(limit)")
        }
        try require(shards & (shards - 1) == 0, "--shards \(shards): expected a power of two")
        try require(
            shards <= batchSize, "--shards \(shards): expected at most the batch size, which is \(batchSize)")
        try require(
            dropout >= 0 && dropout < 1, "--dropout \(dropout): expected a number from 0 up to, not including, 1")
        try require(lr > 0 && lr.isFinite, "--lr \(lr): expected a positive number")
        try require(
            clipNorm >= 0 && clipNorm.isFinite,
            "--clip-norm \(clipNorm): expected a positive number, or 0 for no clipping")
        try require(
            weightDecay >= 0 && weightDecay.isFinite, "--weight-decay \(weightDecay): expected 0 or a positive number")
        try validateOptimizer()
        try require(
            steps >= 1 && steps < Self.stepLimit,
            "--steps \(steps): expected a whole number from 1 to \(Self.stepLimit - 1)")
        for (flag, value) in [("--validation-every", validationEvery), ("--checkpoint-every", checkpointEvery)] {
            try require(
                value >= 1 && (isBegun || value < Self.stepLimit),
                "\(flag) \(value): expected a whole number from 1 to \(Self.stepLimit - 1)")
        }
        if let keepCheckpoints {
            try require(keepCheckpoints >= 1, "--keep-checkpoints \(keepCheckpoints): expected a positive whole number")
        }
        try require(
            schedule.warmup < steps,
            "--warmup-steps \(schedule.warmup): expected fewer than the \(steps) steps of the run")
        try require(
            schedule.minimum >= 0 && schedule.minimum <= 1,
            "--min-lr-factor \(schedule.minimum): expected a number from 0 to 1")
        try require(
            !stream || { if case .text = data { true } else { false } }(),
            "--stream: expected a text (--data FILE); generated sets have no stream")
    }

    private func validateOptimizer() throws(ConfigurationError) {
        if let momentum {
            try require(momentum >= 0 && momentum.isFinite, "--momentum \(momentum): expected 0 or a positive number")
            try require(
                optimizer == .sgd || optimizer == .rmsprop,
                "--momentum \(momentum): expected --optimizer sgd or rmsprop, not \(optimizer.rawValue)")
        }
        try require(
            nesterov != true || (optimizer == .sgd && (momentum ?? 0) > 0),
            "--nesterov: expected --optimizer sgd with a --momentum above 0")
        try require(
            amsgrad != true || optimizer == .adam || optimizer == .adamw,
            "--amsgrad: expected --optimizer adam or adamw, not \(optimizer.rawValue)")
    }

    private func require(_ condition: Bool, _ sentence: @autoclosure () -> String) throws(ConfigurationError) {
        if !condition { throw ConfigurationError(description: sentence()) }
    }
}
