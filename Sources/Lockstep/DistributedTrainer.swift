internal import Cluster
internal import Coordination
internal import Foundation
internal import Messaging
internal import Synchronization

/// Trains a task of your own in this process, or on workers, with the same bits from any number of them.
///
/// ```swift
/// let trainer = DistributedTrainer(Parity(), steps: 500, shards: 8) { Adam($0, learningRate: 0.01) }
/// let result = try await trainer.train(workers: 4)
/// print(result.parametersSHA256)
/// ```
///
/// Workers are further processes of the program that is running, with the same arguments: they come to the same `train`, find in
/// their environment that they are workers, compute until the coordinator is done, and end there. A training that comes before it in
/// the program they compute alone, for its result. So nothing that should happen once may stand before it, and both sides must make
/// the same task.
public struct DistributedTrainer<Task: DistributedTask>: Sendable {
    /// What a step came to.
    public struct Step: Sendable {
        /// Counted from 1.
        public let step: Int
        /// The mean over what the task counted, before the update.
        public let loss: Double
        /// Global norm of the mean gradient, before clipping.
        public let gradientNorm: Float
        /// Live workers; 0 in a process that trains alone.
        public let workers: Int
    }

    /// A finished training.
    public struct Result {
        /// With the last step's parameters.
        public let model: Task.Model
        /// The loss of each step.
        public let losses: [Double]
        /// SHA-256 over the bytes of every parameter in the order of their names: equal for every number of workers.
        public let parametersSHA256: String
        /// Workers that took part at any time.
        public let workersSeen: Int
        /// Those of them that ended before the training did.
        public let workersLost: Int
    }

    private let task: Task
    private let steps: Int
    private let shards: Int
    private let seed: UInt64
    private let precision: Precision?
    private let clipNorm: Float
    private let schedule: (@Sendable (Int) -> Double)?
    private let optimizer: @Sendable ([Parameter]) -> ElementwiseOptimizer

    /// - Parameters:
    ///   - task: the model, its examples and its loss; every process makes the same.
    ///   - steps: optimiser updates.
    ///   - shards: slices of a batch whose gradients are kept apart, a power of two; part of the result, unlike the number of workers.
    ///   - seed: first parameters and dropout follow from it.
    ///   - precision: what the factors of the layers' matrix products are rounded to, part of the result; nil leaves what the model has.
    ///   - clipNorm: bound of the gradients' global norm; 0 for none.
    ///   - learningRate: of each step, counted from 0; nil leaves the optimiser's own.
    ///   - optimizer: from the model's parameters.
    public init(
        _ task: Task, steps: Int, shards: Int = 8, seed: UInt64 = 0, precision: Precision? = nil, clipNorm: Float = 0,
        learningRate: (@Sendable (Int) -> Double)? = nil,
        optimizer: @escaping @Sendable ([Parameter]) -> ElementwiseOptimizer
    ) {
        require(steps >= 1, "DistributedTrainer: \(steps) steps; expected a positive number")
        require(
            shards >= 1 && shards & (shards - 1) == 0 && shards <= 1 << 16,
            "DistributedTrainer: \(shards) shards; expected a power of two, at most 65536")
        self.task = task
        self.steps = steps
        self.shards = shards
        self.seed = seed
        self.precision = precision
        self.clipNorm = clipNorm
        schedule = learningRate
        self.optimizer = optimizer
    }

    /// Trains to the end.
    ///
    /// - Parameters:
    ///   - workers: processes to start on this machine; 0 computes in this one.
    ///   - threads: of this process, for what is computed in it.
    ///   - stepDone: told of every step.
    /// - Throws: when sockets fail, or the loss or a gradient is no finite number. A worker that is lost is no error: others take its shards.
    public func train(
        workers: Int = 0, threads: Int = 1, stepDone: sending @escaping (Step) -> Void = { _ in }
    ) async throws -> Result {
        require(
            workers >= 0 && threads >= 1,
            "train: \(workers) workers, \(threads) threads; expected 0 or more, and 1 or more")
        let place = DistributedTrainings.next()
        // A worker for a later training comes by this one: it needs its result, not its workers.
        let isOnTheWay = workIfAsked(place)
        let workers = isOnTheWay ? 0 : workers
        let trainer = ModuleTrainer(
            task, place: place, steps: UInt64(steps), shards: shards, seed: seed, precision: precision,
            clipNorm: clipNorm,
            learningRate: schedule.map { schedule in { schedule(Int($0)) } }, optimizer: optimizer)
        var losses: [Double] = []
        losses.reserveCapacity(steps)
        func done(_ report: StepReport, workers: Int) {
            losses.append(report.loss)
            stepDone(
                Step(step: Int(report.step), loss: report.loss, gradientNorm: report.gradientNorm, workers: workers))
        }
        var roster = ClusterTraining.Roster(seen: 0, lost: 0)
        if workers == 0 {
            while !trainer.isDone {
                trainer.beginStep()
                trainer.compute(trainer.wholeStep, threads: threads)
                let report = trainer.finishStep()
                if let part = report.nonFinite {
                    throw DivergenceError(step: report.step, part: part, clipNorm: clipNorm)
                }
                done(report, workers: 0)
            }
        } else {
            var random = SystemRandomNumberGenerator()
            roster = try await ClusterTraining.train(
                trainer, run: RunID.random(using: &random), incarnation: 1, workers: workers,
                program: .itself(training: place),
                threads: threads,
                shouldStop: { false }, note: { _ in },
                stepDone: {
                    if let part = $0.nonFinite { throw DivergenceError(step: $0.step, part: part, clipNorm: clipNorm) }
                    done($0, workers: $1.live)
                    return nil
                })
        }
        return Result(
            model: trainer.computer.model, losses: losses,
            parametersSHA256: parametersSHA256(of: trainer.computer.model),
            workersSeen: roster.seen, workersLost: roster.lost)
    }

    /// In a process that was started as a worker for this training: works until the coordinator is done, and ends the process.
    ///
    /// - Returns: whether it is a worker for a training that comes later in the program.
    private func workIfAsked(_ place: Int) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        guard let address = environment[LocalWorkers.endpointVariable] else { return false }
        do {
            if let text = environment[LocalWorkers.trainingVariable] {
                guard let wanted = Int(text) else {
                    throw ClusterError(
                        exitCode: 2, "\(LocalWorkers.trainingVariable) '\(text)': expected a whole number")
                }
                if place < wanted { return true }
            }
            guard let endpoint = try? Endpoint(address) else {
                throw ClusterError(
                    exitCode: 2,
                    "\(LocalWorkers.endpointVariable) '\(address)': expected an endpoint, as the launcher gives it")
            }
            let memory = environment[LocalWorkers.memoryVariable].flatMap { $0.isEmpty ? nil : $0 }
            try work(at: endpoint, name: environment[LocalWorkers.nameVariable], memory: memory, place)
        } catch let error as ClusterError {
            Self.end(error.exitCode, error.description)
        } catch {
            Self.end(1, "\(error)")
        }
    }

    private func work(at endpoint: Endpoint, name: String?, memory: String?, _ place: Int) throws -> Never {
        try ClusterTraining.requireReachable(endpoint)
        let name = try name.map(ClusterTraining.workerName)
        let (task, seed, precision) = (task, seed, precision)
        let end = try ClusterTraining.work(
            for: endpoint, local: name, memory: memory,
            makeModel: { bytes in
                let computer = ModuleComputer(task, seed: seed, precision: precision)
                return ModuleTrainer.modelBytes(of: task, place: place, computer) == bytes ? computer : nil
            }, note: { _ in })
        Self.end(end.code, end.sentence)
    }

    /// Ends the process, with a line for people unless all is well.
    private static func end(_ code: Int32, _ sentence: String) -> Never {
        if code != 0 { FileHandle.standardError.write(Data("worker: \(sentence)\n".utf8)) }
        exit(code)
    }
}

/// The trainings of this program.
private enum DistributedTrainings {
    private static let begun = Atomic<Int>(0)

    /// Which one begins now, counted from 0.
    static func next() -> Int { begun.add(1, ordering: .relaxed).oldValue }
}

/// SHA-256 over the little-endian bytes of every parameter, in ascending byte order of its name, nothing between them.
public func parametersSHA256(of module: some Module) -> String {
    Training.parametersSHA256(module.namedTensors)
}
