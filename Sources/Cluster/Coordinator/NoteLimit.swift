/// Lets a few sentences through and counts the rest, so that strangers cannot fill a disk with log lines.
struct NoteLimit {
    private static let burst = 20
    private static let interval: Duration = .seconds(10)

    private var left = burst
    private var heldBack = 0
    private var lastRefill: Duration = .zero

    /// - Returns: what is to be said.
    mutating func take(_ sentence: String, at now: Duration) -> [String] {
        var said: [String] = []
        if now - lastRefill >= Self.interval {
            lastRefill = now
            left = Self.burst
            if heldBack > 0 { said.append("\(heldBack) more such lines were left out") }
            heldBack = 0
        }
        if left > 0 {
            left -= 1
            said.append(sentence)
        } else {
            heldBack += 1
        }
        return said
    }
}
