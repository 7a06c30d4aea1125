/// Members of a file, one after another, up to the first that differs from what was recomputed.
struct MemberComparison {
    /// What differs, as the end of a sentence; nil when nothing does.
    private(set) var difference: String?

    mutating func check<Value>(_ member: String, _ stored: Value?, _ recomputed: Value?) {
        // Text tells every two numbers apart, and no number that is none from itself.
        let (stored, recomputed) = (stored.map { "\($0)" } ?? "null", recomputed.map { "\($0)" } ?? "null")
        guard difference == nil, stored != recomputed else { return }
        difference = "\(member) is \(stored); recomputed, \(recomputed)"
    }
}
