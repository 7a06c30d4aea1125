/// Faults that a test builds into the machines, to see that the simulation notices them. Nothing but a test sets any.
package struct PlantedBugs: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Messages of an incarnation that is over are taken.
    package static let acceptStaleIncarnation = PlantedBugs(rawValue: 1 << 0)
    /// A message's checksum is not looked at.
    package static let skipChecksum = PlantedBugs(rawValue: 1 << 1)
    /// A second whole answer for a subtree counts as the first did.
    package static let countTwice = PlantedBugs(rawValue: 1 << 2)
    /// A second answer that differs from the first is passed over.
    package static let ignoreDifference = PlantedBugs(rawValue: 1 << 3)
    /// A stream is called whole without its last frame.
    package static let dropLastFrame = PlantedBugs(rawValue: 1 << 4)
    /// Sums are added as they arrive.
    package static let addInArrivalOrder = PlantedBugs(rawValue: 1 << 5)
}
