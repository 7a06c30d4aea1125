/// Lets so many sentences through and counts the rest, so that nobody can fill a disk with log lines.
package struct NoteLimit {
    private let burst: Double
    private let perSecond: Double
    private var left: Double
    private var heldBack = 0
    private var last: Duration = .zero

    /// - Parameters:
    ///   - burst: sentences that may come at once.
    ///   - perSecond: how many more there may be, as time goes on.
    package init(burst: Int, perSecond: Double) {
        (self.burst, self.perSecond, left) = (Double(burst), perSecond, Double(burst))
    }

    /// - Returns: what is to be said.
    package mutating func take(_ sentence: String, at now: Duration) -> [String] {
        left = min(burst, left + perSecond * ((now - last) / .seconds(1)))
        last = now
        guard left >= 1 else {
            heldBack += 1
            return []
        }
        left -= 1
        guard heldBack > 0 else { return [sentence] }
        defer { heldBack = 0 }
        return ["\(heldBack) more such lines were left out", sentence]
    }
}
