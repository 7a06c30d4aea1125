import Coordination

/// What is known of a simulated training beforehand, and what all its processes share.
final class Truth {
    let plan: FaultPlan
    let mathematics: SimulatedMathematics
    /// Before each step and after the last, as one process without a fault makes them.
    let states: [SimulatedMathematics.State]
    let ledger: [SimulatedMathematics.LedgerLine]
    /// The parameters of each step as they travel.
    let parameters: [[UInt8]]
    let run = RunID(low: 5, high: 7)
    let framing: Framing
    let bug: PlantedBug?

    init(_ plan: FaultPlan, salt: UInt64, bug: PlantedBug?) {
        self.plan = plan
        self.bug = bug
        mathematics = SimulatedMathematics(shards: plan.shards, words: plan.words, salt: salt)
        (states, ledger) = mathematics.faultFree(steps: plan.steps)
        parameters = states.map { bytes(of: $0.parameters) }
        var framing = Framing()
        framing.frameBytes = 64
        framing.planted = bug?.inMachines ?? []
        self.framing = framing
    }

    /// What a worker that lies says of itself, so that the coordinator's shell can tell whether the right one is dropped.
    static let dishonestLabel = "a liar"

    var fingerprint: [UInt8] { Array(repeating: 7, count: 32) }

    func coordinatorConfiguration(incarnation: UInt64) -> CoordinatorConfiguration {
        var configuration = CoordinatorConfiguration(
            run: run, incarnation: incarnation, shards: plan.shards, version: "1", fingerprint: fingerprint,
            parameterBytes: UInt64(8 * plan.words), answerLimit: UInt64(8 * plan.words),
            assignmentLimit: UInt64(8 * plan.shards), model: [1, 2, 3])
        configuration.framing = framing
        configuration.auditShare = plan.auditShare
        configuration.answerRoom = plan.answerRoom
        configuration.fallbackAfter = plan.fallbackAfter.duration
        if plan.hasNoSpareRoom { configuration.maximumWorkers = plan.workers }
        configuration.stallAfter = plan.stallAfter.duration
        configuration.stragglerMinimum = plan.stragglerMinimum.duration
        configuration.overdueAfter = plan.overdueAfter.duration
        return configuration
    }

    func workerConfiguration(label: String) -> WorkerConfiguration {
        var configuration = WorkerConfiguration(version: "1", fingerprint: fingerprint, label: label, threads: 1)
        configuration.framing = framing
        return configuration
    }

    func emptyTree() -> ReductionTree<[UInt64]> {
        ReductionTree(shards: plan.shards, planted: framing.planted, add: SimulatedMathematics.add)
    }
}
