import Coordination

/// The ten faults that the simulation must notice: those of the machines are switched on in them, the others belong to the shells.
enum PlantedBug: String, CaseIterable {
    case acceptStaleIncarnation
    case skipChecksum
    case countShardTwice
    case publishBeforeLedger
    case forgetSynchronizing
    case reuseIdentity
    case ignoreLateDifference
    case dropLastFrame
    case addInArrivalOrder
    case resumeOneStepLate

    var inMachines: PlantedBugs {
        switch self {
        case .acceptStaleIncarnation: .acceptStaleIncarnation
        case .skipChecksum: .skipChecksum
        case .countShardTwice: .countTwice
        case .ignoreLateDifference: .ignoreDifference
        case .dropLastFrame: .dropLastFrame
        case .addInArrivalOrder: .addInArrivalOrder
        case .publishBeforeLedger, .forgetSynchronizing, .reuseIdentity, .resumeOneStepLate: []
        }
    }
}
