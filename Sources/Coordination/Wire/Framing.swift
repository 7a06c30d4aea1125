/// How streams are cut into frames. Everything but a test uses `standard`; a test cuts short streams small, so that they have
/// many frames.
package struct Framing: Sendable {
    package static let standard = Framing()

    /// The longest piece of a stream in one frame, and the grid that streams are cut on; at most the longest payload of a message.
    package var frameBytes = Coordination.frameBytes
    package var planted: PlantedBugs = []

    package init() {}

    /// Parameters that lie in memory which both processes see: nothing carries them, so one frame tells of all.
    package static let inMemory: Framing = {
        var framing = Framing()
        framing.frameBytes = 1 << 30
        return framing
    }()

    /// An empty stream has one frame, which is empty.
    func count(ofTotal total: UInt64) -> Int {
        Int(Swift.max(1, (total + UInt64(frameBytes) - 1) / UInt64(frameBytes)))
    }
}
